from __future__ import annotations

from sm_emulate.spec.fact import EMULATED, OUTSIDE, PARTLY, Area, confirmed, unsure
from sm_emulate.spec.facts.sources import HOST, TF_SERVING, guide_2023, inference_toolkit

AREA = Area(
    prefix="hosting.stop",
    title="Hosting: shutdown and logs",
    facts=(
        confirmed("hosting.stop.term-kill", "A stop is SIGTERM, 30 seconds, SIGKILL.", HOST, level=EMULATED),
        unsure(
            "hosting.stop.delete-endpoint",
            "DeleteEndpoint is believed to stop containers in the same way as scaling in.",
            HOST,
            level=EMULATED,
            note="there is no setting",
        ),
        unsure(
            "hosting.stop.draining",
            "Whether requests in flight are finished first, and what a ping gets meanwhile, is not known.",
            HOST,
            level=EMULATED,
            note="the gateway takes no new ones, waits for those in flight and then stops the container, without further pings; there is no setting",
        ),
        confirmed(
            "hosting.stop.log-group",
            "stdout and stderr go to /aws/sagemaker/Endpoints/NAME and nothing else is collected.",
            HOST,
            guide_2023("logging-cloudwatch"),
            level=PARTLY,
            note="they go into a log file of the run folder; LogStreamArn of an error names that group",
        ),
        unsure(
            "hosting.stop.log-stream",
            "A single container's stream is believed to be VARIANT/INSTANCE.",
            HOST,
            level=EMULATED,
            note="logs/VARIANT/INSTANCE.log in the run folder, logs/VARIANT.log where there is one instance; LogStreamArn of an error names the group alone",
        ),
        confirmed(
            "hosting.stop.log-stream-pipeline",
            "A pipeline's streams are VARIANT/INSTANCE/CONTAINER.",
            guide_2023("inference-pipeline-troubleshoot"),
            level=EMULATED,
            note="logs/VARIANT/INSTANCE/CONTAINER.log in the run folder, without INSTANCE where there is one",
        ),
        confirmed(
            "hosting.stop.toolkit-signals",
            "AWS's servers pass the signal on: the inference toolkit TERM to the model server, TensorFlow Serving QUIT to nginx.",
            inference_toolkit("src/sagemaker_inference/model_server.py"),
            f"{TF_SERVING}/serve.py",
            level=OUTSIDE,
        ),
    ),
)
