"""What a training job leaves: model.tar.gz and output.tar.gz, where they lie and what is in them."""

from __future__ import annotations

import tarfile

import pytest

pytestmark = pytest.mark.engine


def members(archive):
    with tarfile.open(archive) as packed:
        return {member.name: member for member in packed.getmembers()}


def test_model_and_output_data_are_packed_with_their_contents_at_the_root(product, images):
    image = images.train(
        """
        cd /opt/ml/model; mkdir sub; echo weights > weights.bin; echo deep > sub/deep; chmod 0755 weights.bin
        cd /opt/ml/output; echo plot > data/plot.csv; echo beside > beside; mkdir data/empty
        """
    )
    job = product.train(image)
    assert job.model == {"sub": None, "sub/deep": b"deep\n", "weights.bin": b"weights\n"}
    assert job.output == {"empty": None, "plot.csv": b"plot\n"}, "what lies beside data is not uploaded"
    assert members(job.folder / "model.tar.gz")["weights.bin"].mode == 0o755
    assert job.json["ModelArtifacts"]["S3ModelArtifacts"] == (job.folder / "model.tar.gz").as_uri()


@pytest.mark.parametrize(("code", "status"), [(0, "Completed"), (7, "Failed")])
def test_artifacts_are_packed_on_failure_too(product, images, code, status):
    job = product.train(
        images.train(f"echo half > /opt/ml/model/half; echo log > /opt/ml/output/data/log; exit {code}"),
        code=min(code, 1),
    )
    assert job.status == (status, status)
    assert job.model == {"half": b"half\n"}
    assert job.output == {"log": b"log\n"}


def test_an_empty_model_leaves_no_archive_unless_set(product, images):
    image = images.train("exit 0")
    job = product.train(image)
    assert job.status == ("Completed", "Completed")
    assert (job.model, job.output) == (None, None)
    assert not list(job.folder.glob("*.tar.gz"))
    job = product.train(image, "--setting", "empty-model-archive=empty")
    assert job.model == {}


LINKS = """
cd /opt/ml/model
echo real > real; ln -s real link; ln real hard; ln -s /etc/passwd out; ln -s nowhere dangling
mkfifo fifo; mknod null c 1 3
"""


def test_links_stay_links_and_what_is_no_file_is_left_out_with_a_warning(product, images):
    job = product.train(images.train(LINKS))
    found = members(job.folder / "model.tar.gz")
    assert sorted(found) == ["dangling", "hard", "link", "out", "real"]
    assert {name: found[name].linkname for name in ("link", "out", "dangling")} == {
        "link": "real",
        "out": "/etc/passwd",
        "dangling": "nowhere",
    }
    assert job.model["hard"] == b"real\n"
    warnings = [line for line in job.err.splitlines() if line.startswith("warning:")]
    assert warnings == [
        "warning: model.tar.gz is without fifo: it is a FIFO",
        "warning: model.tar.gz is without null: it is a character device",
        "warning: model.tar.gz holds symlinks (dangling, link, out): hosting refuses such an archive",
    ]


def test_links_are_followed_inside_the_folder_only_where_set(product, images):
    job = product.train(images.train(LINKS), "--setting", "links-in-artifacts=follow")
    assert job.model == {"hard": b"real\n", "link": b"real\n", "real": b"real\n"}
    assert "model.tar.gz is without out: it is a symlink out of the folder" in job.err
    assert "model.tar.gz is without dangling: it is a symlink to nothing" in job.err
    job = product.train(images.train(LINKS), "--setting", "links-in-artifacts=skip")
    assert job.model == {"hard": b"real\n", "real": b"real\n"}


def test_sockets_are_left_out(product, images):
    image = images.train_python(
        """
        import socket
        socket.socket(socket.AF_UNIX).bind("/opt/ml/model/socket")
        open("/opt/ml/model/file", "w").close()
        """
    )
    job = product.train(image)
    assert job.model == {"file": b""}
    assert "model.tar.gz is without socket: it is a socket" in job.err


def test_with_an_output_path_the_archives_lie_as_in_s3_and_the_run_folder_links_to_them(product, images):
    image = images.train("echo m > /opt/ml/model/m; echo o > /opt/ml/output/data/o")
    job = product.train(image, "--job-name", "placed", "--output-path", "results")
    target = product.tmp / "results/placed/output"
    assert sorted(path.name for path in target.iterdir()) == ["model.tar.gz", "output.tar.gz"]
    assert job.json["ModelArtifacts"]["S3ModelArtifacts"] == (target / "model.tar.gz").as_uri()
    assert job.json["OutputDataConfig"]["S3OutputPath"] == (product.tmp / "results").as_uri()
    assert (job.folder / "model.tar.gz").resolve() == target / "model.tar.gz"
    assert job.model == {"m": b"m\n"}
    # a file:// URI is the same place
    job = product.train(image, "--job-name", "again", "--output-path", f"file://{product.tmp}/results")
    assert (product.tmp / "results/again/output/model.tar.gz").exists()


def test_names_of_all_kinds_survive(product, images):
    image = images.train_python(
        """
        import os
        os.chdir(b"/opt/ml/model")
        for name in (b"with space", b"new\\nline", b"-dash", "\\u00e9".encode(), b"x" * 255):
            open(name, "w").close()
        os.makedirs("d/" * 60)
        """
    )
    names = set(product.train(image).model)
    assert {"with space", "new\nline", "-dash", "é", "x" * 255, "/".join("d" * 60)} <= names


def test_checkpoints_of_a_request_in_json_come_back(product, images):
    import json

    image = images.train("cat /opt/ml/checkpoints/step; echo 7 > /opt/ml/checkpoints/step")
    kept = product.folder("checkpoints", files={"step": "3\n"})
    request = {
        "TrainingJobName": "first",
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
        "RoleArn": "arn:aws:iam::111122223333:role/mine",
        "OutputDataConfig": {"S3OutputPath": f"file://{product.tmp}/out"},
        "ResourceConfig": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "CheckpointConfig": {"S3Uri": f"file://{kept}"},
    }
    (product.tmp / "job.json").write_text(json.dumps(request))
    first = product.train("--request", "job.json")
    assert first.log() == "3\n"
    assert (kept / "step").read_text() == "7\n"
    assert json.loads((first.folder / "opt-ml/algo-1/input/config/checkpointconfig.json").read_text()) == {
        "LocalPath": "/opt/ml/checkpoints"
    }
    assert product.train("--request", "job.json", "--job-name", "second").log() == "7\n"
