"""What every job does between its request and its result; the room of its kind says the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from uuid import uuid4

from sm_emulate.events import StatusChanged
from sm_emulate.lifecycle.internal_error import internal_error
from sm_emulate.lifecycle.labels import labels_of
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.lifecycle.publisher import Publisher
from sm_emulate.lifecycle.stop_request import StopRequest
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sm_emulate.events import Event, Listener
    from sm_emulate.storage.run_folder import RunFolder


class Described(Protocol):
    """The result of a job."""

    def describe(self) -> dict[str, Any]: ...


ResultT = TypeVar("ResultT", bound=Described)


class Job(ABC, Generic[ResultT]):
    """One job of any kind: it is written down, runs, and its run folder is true for other processes all the while.

    Its class publishes a StatusChanged whenever it goes on, and the last one when it is over; whatever stops it
    before that ends it by `_end_by`.

    Args:
        run: a new run folder that this process holds; it keeps everything that the job leaves.
        platform: which SageMaker.
        listeners: hear what happens.
    """

    def __init__(
        self, run: RunFolder, *, platform: Platform | None = None, listeners: Sequence[Listener] = ()
    ) -> None:
        self.run_folder = run
        self.platform = platform or Platform()
        self.session = uuid4().hex
        """Tells what this process makes for the job on the engine from all else."""
        self._publish = Publisher((self._keep, *listeners))
        self._asked = StopRequest(run, wake=self._wake)

    def stop(self) -> None:
        """Stop it as the API's Stop call does; a second time, kill at once. Signal handlers may call it."""
        self._asked.ask()

    def run(self) -> ResultT:
        """Run it to its end.

        Raises:
            SmEmulateError: the machine could not run it; the run folder then says Failed.
        """
        folder = self.run_folder
        try:
            with told("the job cannot be written down", folder.path):
                folder.write(folder.request, self._document())
            self._run()
        except BaseException as error:
            self._fail(error)
            raise
        return self.result()

    @abstractmethod
    def result(self) -> ResultT:
        """Say how it stands."""

    @property
    @abstractmethod
    def over(self) -> bool:
        """Whether its status is one that it keeps."""

    @abstractmethod
    def _document(self) -> Mapping[str, Any]:
        """Give the request in AWS's JSON."""

    @abstractmethod
    def _run(self) -> None:
        """Run it until it is over."""

    @abstractmethod
    def _wake(self) -> None:
        """Have it look whether a stop was asked for. Signal handlers may call it."""

    @abstractmethod
    def _end_by(self, reason: str) -> None:
        """End it as Failed, with this FailureReason."""

    @property
    def _labels(self) -> dict[str, str]:
        """The labels of what it makes on the engine."""
        return labels_of(self.run_folder, self.session)

    def _keep(self, event: Event) -> None:
        """Hear every event before the listeners do: nobody hears of an end that is not written down."""
        if isinstance(event, StatusChanged):
            self._write_standing()

    def _write_standing(self) -> None:
        """Write run.json, or result.json once it is over."""
        folder = self.run_folder
        with told("the job's status cannot be written down", folder.path):
            folder.write(folder.result if self.over else folder.standing, self.result().describe())

    def _fail(self, error: BaseException) -> None:
        """Leave a result that says what stopped us; nothing here may hide the error itself."""
        if self.over:
            return
        with suppress(Exception):
            self._end_by(internal_error(error))
