"""Names that objects of S3 get under /opt/ml/model, and those that fail the deployment."""

from __future__ import annotations

import pytest

from sm_emulate.errors import RequestError
from sm_emulate.request.hosted_model import ModelData
from sm_emulate.staging.model_files import files_of, named, stored_object
from sm_emulate.storage.objects import StoredObject
from sm_emulate.storage.s3_store import S3Store


def stored(*paths):
    return {path: StoredObject(uri=f"s3://b/m/{path}", key=f"m/{path}", size=1, etag="e") for path in paths}


def test_ordinary_names_pass():
    files = stored("weights", "deep/er/part-1", "deep/er.bin", "x" * 255)
    assert named(files) is files


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("a//b", "a name in the model data is empty"),
        ("a/ /b", "a name in the model data is empty"),
        ("a/./b", "a name in the model data is ."),
        ("../b", "a name in the model data is .."),
        ("a\0b", "a name in the model data has a null byte"),
        ("x" * 256, "a name in the model data is longer than 255 bytes"),
        ("\u00e4" * 128, "a name in the model data is longer than 255 bytes"),
        (
            "folder/",
            "the model data has a folder of the S3 console, an empty object whose key ends in a slash",
        ),
        ("", "the model data has a folder of the S3 console, an empty object whose key ends in a slash"),
    ],
)
def test_a_name_that_fails_the_deployment(path, what):
    with pytest.raises(RequestError) as refused:
        named(stored("weights", path))
    assert refused.value.what == what


def test_a_file_that_is_also_a_folder():
    with pytest.raises(RequestError, match="both a file and a folder") as refused:
        named(stored("weights", "weights/deep/part-1"))
    assert refused.value.value == "s3://b/m/weights"


def test_a_prefix_of_a_bucket_is_trimmed_from_its_keys(bucket):
    bucket.put("m/weights", "m/deep/part-1", "m2/other")
    data = ModelData(uri=bucket.uri("m/"), s3_data_type="S3Prefix", compression_type="None")
    store = S3Store(bucket.place)
    assert sorted(files_of(data, store)) == ["deep/part-1", "weights"]
    bucket.put_bytes("m/", b"")
    with pytest.raises(RequestError, match="folder of the S3 console"):
        files_of(data, store)


def test_an_object_has_the_last_part_of_its_key_as_its_name(bucket):
    bucket.put("deep/er/weights.bin")
    data = ModelData(uri=bucket.uri("deep/er/weights.bin"), compression_type="None")
    assert list(files_of(data, S3Store(bucket.place))) == ["weights.bin"]


def test_an_object_with_another_etag_is_refused(bucket):
    bucket.put("weights")
    store = S3Store(bucket.place)
    etag = store.find(bucket.uri("weights")).etag
    assert stored_object(ModelData(uri=bucket.uri("weights"), etag=f'"{etag}"'), store).etag == etag
    with pytest.raises(RequestError, match="another ETag"):
        stored_object(ModelData(uri=bucket.uri("weights"), etag="other"), store)
