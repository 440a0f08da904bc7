"""The Pipe channels of a training job: fed as long as its containers run, and given up when nobody drains them."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sm_emulate.errors import MachineError, PipeError, SmEmulateError
from sm_emulate.events import EpochStreamed, LogLines
from sm_emulate.lifecycle.companion import Companion, PlatformFailure
from sm_emulate.lifecycle.internal_error import internal_error
from sm_emulate.lifecycle.training.pipe_feeder import PipeFeeder
from sm_emulate.spec import wordings
from sm_emulate.spec.training_job import LAYOUT
from sm_emulate.staging.channel_data import hosts_of
from sm_emulate.staging.pipe_content import PipeContent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from sm_emulate.lifecycle.companion import Surroundings
    from sm_emulate.lifecycle.training.companions import TrainingSurroundings
    from sm_emulate.request.channel import Channel
    from sm_emulate.staging.cluster import Host


@dataclass(frozen=True, kw_only=True)
class Piped:
    """One Pipe channel: who gets it, and where the FIFO of a host and epoch lies on this machine."""

    channel: Channel
    hosts: tuple[Host, ...]
    path: Callable[[str, int], Path]


def pipe_channels(around: TrainingSurroundings) -> Iterator[Piped]:
    """Give the Pipe channels of a training job."""
    for channel in around.request.input_data_config:
        if around.request.input_mode(channel) != "Pipe":
            continue

        def path(host: str, epoch: int, *, name: str = channel.channel_name) -> Path:
            return around.trees[host].path(LAYOUT.pipe(name, epoch))

        hosts = hosts_of(around.request, channel, around.cluster)
        yield Piped(channel=channel, hosts=tuple(hosts), path=path)


class Pipes(Companion):
    """Feeds every Pipe channel of every host."""

    def __init__(self, around: Surroundings, channels: Iterable[Piped]) -> None:
        self._around, self._channels = around, tuple(channels)
        self._settings = around.platform.settings
        self._feeders: dict[tuple[str, str], PipeFeeder] = {}
        """By host and channel."""
        self._running_since: dict[str, float] = {}
        self._open = ExitStack()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, name="pipe time-out", daemon=True)

    def prepare(self) -> None:
        """List what is to be sent, and make the first FIFO of each channel."""
        self._check_shared()
        for piped in self._channels:
            content = self._content(piped.channel, list(piped.hosts))
            self._open.callback(content.close)
            for host in piped.hosts:
                which = (host.name, piped.channel.channel_name)
                self._feeders[which] = feeder = PipeFeeder(
                    partial(piped.path, host.name),
                    partial(content.epoch, host=host),
                    ended=partial(self._ended, *which),
                    failed=self._failed,
                    keep=self._settings.text("pipe-after-reading") == "kept",
                )
                self._open.callback(feeder.close)
        self._watch.start()
        self._open.callback(self._watch.join)
        self._open.callback(self._over.set)

    def started(self, host: str, container: str) -> None:
        """Count from here how long a channel is not drained."""
        del container
        self._running_since[host] = time.monotonic()

    def finish(self) -> None:
        """Close the pipes before the job is over, so that what went through them is known by then."""
        self._open.close()

    def close(self) -> None:
        """Likewise, whatever has happened."""
        self._open.close()

    def _check_shared(self) -> None:
        """A FIFO joins processes of one kernel: an engine elsewhere, or in a virtual machine, would see a dead file."""
        around = self._around
        if sys.platform != "linux" or around.engine.shares(str(around.run_folder.path)) is False:
            raise MachineError(
                "Pipe mode needs a container engine that runs on this Linux machine itself",
                value=around.engine.info().endpoint,
                expected="an engine that sees the files of this machine",
                hint="use mode=FastFile, or run sm-emulate where the engine runs",
            )

    def _content(self, channel: Channel, hosts: list[Host]) -> PipeContent:
        try:
            return PipeContent(
                channel,
                hosts=hosts,
                s3=self._around.platform.s3,
                settings=self._settings,
                scratch=self._around.run_folder.path,
            )
        except SmEmulateError as error:
            raise PlatformFailure(wordings.download_failed(_words(error))) from error

    def _ended(self, host: str, channel: str, epoch: int, sent_bytes: int, whole: bool) -> None:
        self._around.publish(
            EpochStreamed(host=host, channel=channel, epoch=epoch, sent_bytes=sent_bytes, whole=whole)
        )

    def _failed(self, error: Exception) -> None:
        """End the job, with SageMaker's words where the data is to blame."""
        if isinstance(error, PipeError):
            self._around.fail(wordings.internal_server_error(_words(error)))
        elif isinstance(error, SmEmulateError):
            self._around.fail(wordings.download_failed(_words(error)))
        elif isinstance(error, OSError):
            self._around.fail(wordings.download_failed(str(error)))
        else:
            self._around.fail(internal_error(error))

    def _look(self) -> None:
        """Wait until a pipe was not drained for too long. Sleeps as long as that cannot be."""
        limit = self._settings.number("pipe-timeout")
        pause = float(limit)
        while not self._over.wait(pause):
            moment = time.monotonic()
            last = min((self._since(*each, moment) for each in self._feeders), default=moment)
            if moment - last >= limit:
                self._time_out(next(each for each in self._feeders if self._since(*each, moment) == last))
                return
            pause = limit - (moment - last)

    def _since(self, host: str, channel: str, moment: float) -> float:
        """Tell since when a channel was not drained; this moment if it is, or if its program does not run yet."""
        counts = self._settings.text("pipe-timeout-next-epoch") == "counts"
        since = self._feeders[host, channel].blocked_since(next_epoch=counts)
        return moment if since is None else max(since, self._running_since.get(host, moment))

    def _time_out(self, stuck: tuple[str, str]) -> None:
        host, _ = stuck
        self._around.publish(LogLines(host=host, data=f"{wordings.PIPE_TIMED_OUT}\n".encode()))
        self._around.fail(wordings.INTERNAL_SERVER_ERROR)


def _words(error: SmEmulateError) -> str:
    return error.what if error.value is None else f"{error.what}: {error.value}"
