from __future__ import annotations

from sm_emulate.spec.fact import EMULATED, Area, confirmed, disputed, unsure
from sm_emulate.spec.facts.sources import API, BATCH, PUBLIC_LOG, SDK, guide_2023, sdk, thread

AREA = Area(
    prefix="batch",
    title="Batch transform",
    facts=(
        confirmed(
            "batch.same-container",
            "Start, port, ping and POST /invocations are as for an endpoint.",
            BATCH,
            level=EMULATED,
        ),
        confirmed(
            "batch.execution-parameters",
            "GET /execution-parameters may answer JSON with MaxConcurrentTransforms, BatchStrategy and MaxPayloadInMB; 404 is normal.",
            BATCH,
            thread("aws/sagemaker-containers", 201),
            level=EMULATED,
        ),
        unsure(
            "batch.precedence",
            "The request's values come before these, and these before 1, MULTI_RECORD and 6.",
            BATCH,
            PUBLIC_LOG,
            level=EMULATED,
            note="the request, the container and the defaults can each be given: there is nothing left to set",
        ),
        confirmed(
            "batch.spelling",
            "The API says SingleRecord and MultiRecord, the container SINGLE_RECORD and MULTI_RECORD.",
            API,
            BATCH,
            level=EMULATED,
        ),
        confirmed(
            "batch.payload",
            "MaxPayloadInMB is at most 100, also when multiplied with MaxConcurrentTransforms; 0 sends chunked bodies without limit.",
            API,
            level=EMULATED,
        ),
        confirmed(
            "batch.split",
            "SplitType is None, Line, RecordIO or TFRecord, and batches never cross files.",
            API,
            guide_2023("batch-transform"),
            level=EMULATED,
        ),
        confirmed(
            "batch.client-config",
            "A call has 600 seconds and 3 retries by default, 3600 and 3 at most.",
            API,
            level=EMULATED,
        ),
        unsure(
            "batch.retried-statuses",
            "Which statuses are tried again is not known.",
            API,
            level=EMULATED,
            setting="transform-retried",
        ),
        confirmed(
            "batch.output",
            "Output is INPUT.out; a file with any failed record has none, and the job fails.",
            guide_2023("batch-transform"),
            guide_2023("batch-transform-errors"),
            level=EMULATED,
        ),
        disputed(
            "batch.assemble",
            "AssembleWith Line puts a newline after each record; the SDK's local mode after each answer.",
            guide_2023("batch-transform"),
            sdk("sagemaker-core/src/sagemaker/core/local/entities.py"),
            level=EMULATED,
            setting="transform-newline",
        ),
        confirmed(
            "batch.filters",
            "InputFilter and OutputFilter are a subset of JSONPath, at most 63 characters.",
            API,
            guide_2023("batch-transform-data-processing"),
            level=EMULATED,
        ),
        confirmed(
            "batch.join",
            "JoinSource Input puts the answer beside the input, as SageMakerOutput in JSON.",
            guide_2023("batch-transform-data-processing"),
            level=EMULATED,
        ),
        confirmed(
            "batch.environment",
            "Its Environment has at most 16 entries with values of at most 10240 characters.",
            API,
            level=EMULATED,
        ),
        confirmed(
            "batch.log-lines",
            "Log lines read `BUCKET/KEY: ClientError: 413` and `Unable to get response from algorithm`.",
            thread(SDK, 1882),
            thread(SDK, 703),
            level=EMULATED,
        ),
        confirmed("batch.ami", "TransformAmiVersion chooses the host's GPU driver, 470 or 535.", API),
        confirmed(
            "batch.instances",
            "A job has at most 100 instances; files are split by key.",
            API,
            level=EMULATED,
        ),
        confirmed(
            "batch.record-counts",
            "Joining needs exactly one output record for each input record.",
            guide_2023("batch-transform-data-processing"),
            guide_2023("batch-transform-errors"),
            level=EMULATED,
        ),
        confirmed(
            "batch.volume", "A transform instance has a 30 GB volume.", guide_2023("batch-transform-storage")
        ),
        confirmed(
            "batch.slow-bodies",
            "Servers that time out while they read a large body give `Unable to get response from algorithm`.",
            thread("aws/sagemaker-tensorflow-serving-container", 18),
            thread(SDK, 1951),
            level=EMULATED,
        ),
    ),
)
