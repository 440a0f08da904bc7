"""What a user of the SageMaker SDK v2 writes for local mode. Run by the Python of the SDK's own environment.

sdk_program.py fit IMAGE OUTPUT_FOLDER
sdk_program.py deploy IMAGE MODEL_FOLDER PAYLOAD
"""

import sys
import tarfile
import tempfile
from pathlib import Path

from sagemaker.deserializers import BytesDeserializer
from sagemaker.estimator import Estimator
from sagemaker.local import LocalSession
from sagemaker.model import Model
from sagemaker.predictor import Predictor
from sagemaker.serializers import CSVSerializer

ROLE = "arn:aws:iam::123456789012:role/sm-emulate"


def session() -> LocalSession:
    local = LocalSession()
    local.config = {"local": {"local_code": True}}
    return local


def fit(image: str, output: str) -> None:
    Path(output).mkdir(parents=True, exist_ok=True)
    Estimator(
        image_uri=image,
        role=ROLE,
        instance_count=1,
        instance_type="local",
        output_path=f"file://{output}",
        sagemaker_session=session(),
    ).fit()


def deploy(image: str, model: str, payload: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "model.tar.gz")
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(model, arcname=".")
        served = Model(
            image_uri=image,
            model_data=f"file://{archive}",
            role=ROLE,
            sagemaker_session=session(),
            predictor_cls=Predictor,
        )
        predictor = served.deploy(1, "local", serializer=CSVSerializer(), deserializer=BytesDeserializer())
        try:
            if not predictor.predict(Path(payload).read_text()):
                sys.exit("an empty prediction")
        finally:
            predictor.delete_endpoint()


{"fit": fit, "deploy": deploy}[sys.argv[1]](*sys.argv[2:])
