from __future__ import annotations

from sm_emulate.spec.fact import EMULATED, Area, confirmed, disputed, unsure
from sm_emulate.spec.facts.sources import DLC, EXAMPLES, HOST, PUBLIC_LOG, SDK, guide, guide_2023, thread

AREA = Area(
    prefix="hosting.health",
    title="Hosting: ping",
    facts=(
        confirmed(
            "hosting.health.get-ping",
            "Soon after the start SageMaker sends GET /ping over HTTP/1.1 to port 8080, again and again.",
            HOST,
            thread(SDK, 1554),
            level=EMULATED,
        ),
        disputed(
            "hosting.health.method",
            "One list in the documentation says POST for /ping, its section and every log say GET.",
            HOST,
            thread("pytorch/serve", 1028),
            level=EMULATED,
            note="GET",
        ),
        confirmed(
            "hosting.health.status-200",
            "Health is status 200; an empty body is enough.",
            HOST,
            level=EMULATED,
        ),
        unsure(
            "hosting.health.other-2xx",
            "What another 2xx means is not documented.",
            HOST,
            level=EMULATED,
            note="only 200 is healthy, which is the documented word; there is no setting",
        ),
        confirmed(
            "hosting.health.body-ignored",
            "The body is not looked at: 200 with Unhealthy in it counts as healthy.",
            thread(DLC, 2917),
            level=EMULATED,
        ),
        confirmed("hosting.health.timeout", "A ping has 2 seconds.", HOST, level=EMULATED),
        unsure(
            "hosting.health.period",
            "Pings come every 5 seconds in access logs.",
            PUBLIC_LOG,
            thread(SDK, 1554),
            thread("pytorch/serve", 1028),
            level=EMULATED,
            setting="ping-interval",
            note="while it starts, a container is asked more often, so that nobody waits for the clock",
        ),
        unsure(
            "hosting.health.client",
            "The client calls itself AHC/2.0 and sends Host: model.aws.local:8080.",
            thread(SDK, 605),
            thread(SDK, 1554),
            level=EMULATED,
            setting="endpoint-hostname",
            note="the Host header follows the setting",
        ),
        confirmed(
            "hosting.health.start-window",
            "An instance that is not healthy in the start window fails: CreateEndpoint ends Failed.",
            HOST,
            level=EMULATED,
        ),
        confirmed(
            "hosting.health.failure-reason",
            "FailureReason reads `The primary container for production variant V did not pass the ping health check. Please check CloudWatch logs for this endpoint.`",
            thread(EXAMPLES, 1072),
            thread("aws-neuron/aws-neuron-sdk", 457),
            level=EMULATED,
        ),
        confirmed(
            "hosting.health.failure-reason-pipeline",
            "In a pipeline the reason names each container that failed.",
            guide_2023("inference-pipeline-troubleshoot"),
            thread(EXAMPLES, 1072),
            planned="pipelines",
        ),
        confirmed(
            "hosting.health.term-after-failure",
            "After a failed start the container receives SIGTERM within seconds.",
            thread(SDK, 1554),
            level=EMULATED,
        ),
        unsure(
            "hosting.health.tolerated-failures",
            "How many failing pings an endpoint in service survives is not published.",
            HOST,
            note="an endpoint stays in service; its pings are shown",
        ),
        confirmed(
            "hosting.health.static-200",
            "A ping that always answers 200 keeps traffic on a broken instance.",
            HOST,
            thread(DLC, 2917),
            planned="image checks",
        ),
        unsure(
            "hosting.health.batch-client",
            "Batch transform pings from 169.254.255.130 with Go's client, about every second at the start.",
            thread(EXAMPLES, 2028),
            planned="batch transform",
        ),
        confirmed(
            "hosting.health.serverless",
            "Serverless allows 3 minutes for download and first ping.",
            guide("serverless-endpoints-invoke"),
            planned="serverless profile",
        ),
        confirmed(
            "hosting.health.connect",
            "The container has to accept a connection within 250 ms.",
            HOST,
            level=EMULATED,
            note="the kernel accepts at once; a slower accept is reported",
        ),
        confirmed(
            "hosting.health.listen-everywhere",
            "A server on the loopback interface alone is healthy inside and refused from outside.",
            thread("noonghunna/club-3090", 1295),
            level=EMULATED,
        ),
    ),
)
