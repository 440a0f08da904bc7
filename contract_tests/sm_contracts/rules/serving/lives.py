"""What further containers of the same image do under other conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.evidence.serving.lives import (
    BoundPort,
    Isolated,
    ModelDirectory,
    SecondStart,
    Serverless,
    SharedMemory,
    Trial,
    WithoutModel,
)
from sm_contracts.roles import SERVING
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.serving import INFERENCE_CODE, MULTI_CONTAINER, SERVERLESS

if TYPE_CHECKING:
    from collections.abc import Iterator

ISOLATION = "https://docs.aws.amazon.com/sagemaker/latest/dg/mkt-algo-model-internet-free.html"
SHARED_MEMORY = "https://github.com/aws/sagemaker-python-sdk/issues/2801"
NO_SAMPLE = ("no sample payload was given", "give --data @FILE --content-type TYPE")
DEFAULT_PORT = 8080


@rule(
    "SM324",
    "model-directory-written",
    severity=Severity.ERROR,
    roles=SERVING,
    needs=ModelDirectory,
    source=INFERENCE_CODE,
)
def model_directory_written(directory: ModelDirectory) -> Iterator[Outcome]:
    """The container needs to write to /opt/ml/model.

    What:
        With /opt/ml/model read-only the container does not become healthy or does not answer the sample payload; with a
        writable one it does.

    Why:
        SageMaker mounts the model data read-only.

    Fix:
        Write somewhere else: /tmp, or a directory of the image's own. Point caches there (HF_HOME, TORCH_HOME,
        NUMBA_CACHE_DIR, PYTHONPYCACHEPREFIX).
    """
    yield from _compared(
        directory.read_only,
        directory.writable,
        directory.sample_given,
        "with /opt/ml/model read-only",
        "when it is writable",
    )


@rule(
    "SM338",
    "shared-memory",
    severity=Severity.WARNING,
    roles=SERVING,
    needs=SharedMemory,
    source=SHARED_MEMORY,
)
def shared_memory(memory: SharedMemory) -> Iterator[Outcome]:
    """The container needs more than 64 MiB of /dev/shm.

    What:
        With a /dev/shm of 64 MiB the container does not become healthy or does not answer the sample payload; with
        1 GiB it does.

    Why:
        Endpoints have had the engine's default of 64 MiB, and no parameter raises it. What does not fit ends in bus
        errors or "No space left on device".

    Fix:
        Pass data between processes in another way, or in smaller pieces: fewer DataLoader workers, a smaller
        `--shm-default-byte-size` in Triton, files in /tmp.
    """
    yield from _compared(
        memory.small, memory.large, memory.sample_given, "with 64 MiB of /dev/shm", "with 1 GiB"
    )


def _compared(
    strict: Trial, lenient: Trial | None, sample_given: bool, condition: str, otherwise: str
) -> Iterator[Outcome]:
    """Hold a container under SageMaker's condition against one without it."""
    if strict.came_up and (strict.answered or not strict.answers):
        if sample_given and strict.answered:
            yield Pass({"seconds_to_healthy": round(strict.seconds, 3)})
        else:
            yield Inconclusive(f"{condition} it becomes healthy; {NO_SAMPLE[0]}", NO_SAMPLE[1])
    elif lenient is None:
        yield Inconclusive(f"{condition} the container {strict}")
    elif lenient.came_up and (lenient.answered or not strict.came_up):
        yield Fail(
            f"{condition} the container {strict}; {otherwise} it {lenient}",
            {"strict": strict.as_json(), "lenient": lenient.as_json()},
        )
    else:
        yield Inconclusive(f"{condition} the container {strict}, and {otherwise} it {lenient}")


@rule(
    "SM325",
    "no-model-unclear",
    severity=Severity.WARNING,
    roles=SERVING,
    needs=WithoutModel,
    source=INFERENCE_CODE,
)
def no_model_unclear(without: WithoutModel) -> Iterator[Outcome]:
    """Without model data the container hangs instead of serving or saying what is missing.

    What:
        Started without model data, the container neither became healthy nor exited nor answered its pings, or it exited
        without a word.

    Why:
        SageMaker creates models without model data, and a wrong path leaves the directory empty. The endpoint then
        fails after the whole start window, and nothing says why.

    Fix:
        Look for the model at the start. Without it serve what can be served, or exit with a message that names the
        path.
    """
    trial = without.trial
    shown = {"trial": trial.as_json(), "window_seconds": without.window_s}
    if trial.came_up:
        yield Pass(shown)
    elif without.with_model is None:
        yield Inconclusive(
            "it did not become healthy, and no model data was given to compare with", "give --model PATH"
        )
    elif trial.outcome == "exited" and not without.logged:
        yield Fail(f"without model data the container {trial}, without a message", shown)
    elif trial.outcome == "unhealthy" and trial.status is None:
        yield Fail(
            f"without model data the container neither served nor exited nor answered a ping in {trial.seconds:.0f} s; "
            f"with model data it was healthy after {without.with_model.seconds:.1f} s",
            shown,
        )
    elif trial.outcome == "unhealthy" and not without.logged and not trial.said:
        yield Fail(
            f"without model data the pings are answered with status {trial.status}, and nothing says why",
            shown,
        )
    else:
        yield Pass(shown)


@rule("SM326", "startup-download", severity=Severity.WARNING, roles=SERVING, needs=Isolated, source=ISOLATION)
def startup_download(isolated: Isolated) -> Iterator[Outcome]:
    """The container becomes healthy with a network, and not without.

    What:
        On a network without a way out the container did not become healthy, although it does elsewhere. This is an
        error where network isolation is asked for.

    Why:
        With EnableNetworkIsolation, in a VPC without NAT and for everything on AWS Marketplace there is no internet.
        With it, every start waits for somebody else's server.

    Fix:
        Put into the image, or into the model data, what is downloaded at the start: packages, tokenizers, weights. Set
        HF_HUB_OFFLINE=1 and the like.
    """
    trial = isolated.trial
    if not trial.came_up:
        yield Fail(
            f"without a network the container {trial}",
            trial.as_json(),
            Severity.ERROR if isolated.asked_for else None,
        )
    else:
        yield Pass({"seconds_to_healthy": round(trial.seconds, 3)})


@rule(
    "SM329",
    "not-repeatable",
    severity=Severity.ERROR,
    roles=SERVING,
    needs=SecondStart,
    source=INFERENCE_CODE,
)
def not_repeatable(starts: SecondStart) -> Iterator[Outcome]:
    """A second fresh container behaves differently.

    What:
        A second container of the same image with the same model did not become healthy, or answered the sample payload
        otherwise, although each of the two answers always in the same way.

    Why:
        SageMaker starts containers whenever it likes: scaling, updates, security patches, broken instances. Two
        instances of one endpoint must not disagree.

    Fix:
        Take everything from the image and the model data. Fix seeds, pin what is downloaded, and do not initialise
        weights at random when the model is not found.
    """
    first, second = starts.first, starts.second
    if not second.came_up:
        yield Fail(
            f"the first container was healthy after {first.seconds:.1f} s, and a second {second}",
            second.as_json(),
        )
        return
    if not first.answered or not second.answers:
        if second.answers and not second.answered:
            yield Fail(
                f"the first container answered the sample payload, and a second {second}", second.as_json()
            )
        else:
            yield Inconclusive(f"the second container became healthy, too; {NO_SAMPLE[0]}", NO_SAMPLE[1])
        return
    if not second.answered:
        yield Fail(
            f"the first container answered the sample payload with 200; a second {second}", second.as_json()
        )
        return
    one, two = (
        {each.body for each in first.answers if each.ok},
        {each.body for each in second.answers if each.ok},
    )
    types = [trial.answers[-1].header("Content-Type") for trial in (first, second)]
    if types[0] != types[1]:
        yield Fail(
            f"the Content-Type of the answer was {types[0]}, and {types[1]} from a second container",
            {"first": types[0], "second": types[1]},
        )
    elif len(one) == len(two) == 1 and one != two:
        yield Fail(
            f"the sample payload was answered {first.answers[-1].text[:100]!r}, and "
            f"{second.answers[-1].text[:100]!r} by a second container",
            {"first": first.answers[-1].as_json(), "second": second.answers[-1].as_json()},
        )
    else:
        yield Pass({"seconds_to_healthy": [round(first.seconds, 3), round(second.seconds, 3)]})


@rule(
    "SM334", "non-root-unready", severity=Severity.WARNING, roles=SERVING, needs=Serverless, source=SERVERLESS
)
def non_root_unready(serverless: Serverless) -> Iterator[Outcome]:
    """The container fails as another user on a read-only root.

    What:
        Run as user 993 with only /tmp to write to, the container did not become healthy, or did not answer the sample
        payload. This is an error for the role serverless.

    Why:
        Serverless endpoints run the image as a user that is not root, on a file system where only /tmp can be written.

    Fix:
        Give others the rights that root has (`RUN chmod -R o+rX /opt/program`), and write only below /tmp: pid files,
        sockets, caches, HOME.
    """
    trial = serverless.trial
    severity = Severity.ERROR if serverless.asked_for else None
    if not trial.came_up or (serverless.sample_given and not trial.answered):
        yield Fail(f"as user 993 on a read-only root the container {trial}", trial.as_json(), severity)
    elif not serverless.sample_given:
        yield Inconclusive(
            f"as user 993 on a read-only root it becomes healthy; {NO_SAMPLE[0]}", NO_SAMPLE[1]
        )
    else:
        yield Pass({"seconds_to_healthy": round(trial.seconds, 3)})


@rule(
    "SM331",
    "bind-to-port-ignored",
    severity=Severity.WARNING,
    roles=SERVING,
    needs=BoundPort,
    source=MULTI_CONTAINER,
)
def bind_to_port_ignored(bound: BoundPort) -> Iterator[Outcome]:
    """The container ignores SAGEMAKER_BIND_TO_PORT.

    What:
        Started with SAGEMAKER_BIND_TO_PORT, the container did not answer GET /ping with 200 at that port. This is an
        error where the image has the label com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true.

    Why:
        In a pipeline and in a multi-container endpoint the containers share one network. Each is told a port of its
        own, and is pinged there.

    Fix:
        Listen on `os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")`.
    """
    if bound.ping.ok:
        yield Pass({"port": bound.port})
        return
    if bound.exit_code is not None:
        instead = f"; it exited with code {bound.exit_code}"
    elif bound.default_ping.ok:
        instead = "; it is healthy at 8080 as if it had not been told"
    else:
        instead = ""
    yield Fail(
        f"with SAGEMAKER_BIND_TO_PORT={bound.port} GET /ping at that port is not answered with 200: the container "
        f"{bound.ping}{instead}",
        {
            "port": bound.port,
            "listeners": None if bound.listeners is None else [str(each) for each in bound.listeners],
        },
        Severity.ERROR if bound.labelled else None,
    )


@rule(
    "SM332", "unsafe-ports", severity=Severity.WARNING, roles=SERVING, needs=BoundPort, source=MULTI_CONTAINER
)
def unsafe_ports(bound: BoundPort) -> Iterator[Outcome]:
    """The container listens on further ports outside the safe range.

    What:
        Told SAGEMAKER_SAFE_PORT_RANGE, the container listens on a port outside of it, at an address other than
        loopback, that is not the one it was told to bind to.

    Why:
        The containers of a pipeline share one network: two that listen on the same port cannot both start. Only ports
        in the range are kept apart.

    Fix:
        Take further ports (metrics, management) from SAGEMAKER_SAFE_PORT_RANGE, or bind them to 127.0.0.1.
    """
    if bound.listeners is None:
        yield Inconclusive("what listens inside the container could not be seen")
        return
    first, last = bound.safe
    unsafe = [
        each
        for each in bound.listeners
        if not each.loopback
        and each.port not in (bound.port, DEFAULT_PORT)
        and not first <= each.port <= last
    ]
    if unsafe:
        yield Fail(
            f"it listens on {', '.join(map(str, unsafe))}, outside SAGEMAKER_SAFE_PORT_RANGE={first}-{last}",
            {"listeners": [str(each) for each in bound.listeners], "safe_port_range": f"{first}-{last}"},
        )
    else:
        yield Pass({"listeners": [str(each) for each in bound.listeners]})
