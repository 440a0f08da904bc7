from __future__ import annotations

from sm_emulate.spec.fact import OUTSIDE, Area, confirmed
from sm_emulate.spec.facts.sources import (
    DLC,
    MARKETPLACE_IMAGES,
    SDK,
    TF_SERVING,
    TORCHSERVE,
    XGBOOST,
    inference_toolkit,
    sdk,
    thread,
)

AREA = Area(
    prefix="servers",
    title="Hosting: what well-known servers do, and the platform does not",
    facts=(
        confirmed(
            "servers.inference-toolkit",
            "The inference toolkit loads inference.py from /opt/ml/model/code with model_fn, input_fn, predict_fn and output_fn, or transform_fn.",
            inference_toolkit("src/sagemaker_inference"),
            note="a toolkit image finds what it needs",
            level=OUTSIDE,
        ),
        confirmed(
            "servers.inference-toolkit-settings",
            "It is steered by SAGEMAKER_MODEL_SERVER_TIMEOUT, SAGEMAKER_MODEL_SERVER_WORKERS and other SAGEMAKER_ variables.",
            inference_toolkit("src/sagemaker_inference/parameters.py"),
            level=OUTSIDE,
        ),
        confirmed(
            "servers.torchserve",
            "TorchServe has inference and management on one port and its metrics on 127.0.0.1:8082.",
            TORCHSERVE,
            thread("awslabs/realtime-fraud-detection-with-gnn-on-dgl", 57),
            level=OUTSIDE,
        ),
        confirmed(
            "servers.tensorflow-serving",
            "The TensorFlow Serving image runs nginx on 8080 and takes further ports from SAGEMAKER_SAFE_PORT_RANGE.",
            TF_SERVING,
            level=OUTSIDE,
        ),
        confirmed(
            "servers.xgboost",
            "The XGBoost image answers 204 on an empty body, 415, 406 and 400, and takes 6 MB unless told otherwise.",
            XGBOOST,
            level=OUTSIDE,
        ),
        confirmed(
            "servers.vllm",
            "The vLLM and SGLang images turn SM_VLLM_ and SM_SGLANG_ variables into flags.",
            DLC,
            level=OUTSIDE,
        ),
        confirmed(
            "servers.bring-your-own",
            "The scikit sample runs nginx on 8080, gunicorn on a socket and Flask.",
            MARKETPLACE_IMAGES,
            level=OUTSIDE,
        ),
        confirmed(
            "servers.mlflow",
            "MLflow runs nginx on 8080 before gunicorn on 8000.",
            thread(SDK, 4115),
            thread("mlflow/mlflow", 726),
            level=OUTSIDE,
        ),
        confirmed(
            "servers.hugging-face",
            "The Hugging Face toolkit reads HF_TASK and HF_MODEL_ID and copies the model to .sagemaker/mms/models.",
            thread("aws/sagemaker-huggingface-inference-toolkit", 80),
            level=OUTSIDE,
        ),
        confirmed(
            "servers.sdk-local-mode",
            "The SDK's local mode has no 2 s and 60 s limits, strips no headers, gives up on a ping after 120 s and mounts the model writable.",
            sdk("sagemaker-core/src/sagemaker/core/local"),
            note="differences of local mode, not of the platform",
            level=OUTSIDE,
        ),
    ),
)
