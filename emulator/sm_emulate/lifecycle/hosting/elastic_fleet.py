"""Instances that come and go while the endpoint serves."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from sm_emulate.errors import SmEmulateError
from sm_emulate.events import Warned
from sm_emulate.lifecycle.hosting.fleet import ServingFleet
from sm_emulate.lifecycle.hosting.serving_container import StopAskedError
from sm_emulate.lifecycle.together import together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sm_emulate.lifecycle.hosting.instance import Instance
    from sm_emulate.request.variant import Variant

RETIRE_GRACE_S = 30.0


class ElasticFleet(ServingFleet):
    """A fleet that can be given one instance more, and one less."""

    def add(self, variant: Variant) -> Instance:
        """Start one more instance, and send it requests once it is healthy.

        Raises:
            EndpointFailedError: it did not become healthy; it is gone.
            StopAskedError: the endpoint is stopped.
        """
        with self._lock:
            instance = self._instance(variant)
            self.instances.append(instance)
        try:
            instance.start(self._around.specs(instance))
            self._welcome(instance)
        except BaseException:
            if not self._stopping():
                instance.stop(0, hurried=lambda: True)
                self._forget(instance)
            raise
        self._changed()
        return instance

    def retire(self, instance: Instance, *, drained: Callable[[], bool] = lambda: True) -> None:
        """Send an instance no more requests, and stop it in a thread once it is drained. Waits for nobody."""
        instance.upstreams = ()

        def end() -> None:
            self._changed()
            self._end(instance, drained)

        thread = threading.Thread(target=end, name=f"retiring {instance.host}", daemon=True)
        self._track(thread)
        thread.start()

    def dismiss(self, instances: Sequence[Instance], *, drained: Callable[[], bool]) -> None:
        """Send these no more requests, stop them once they are drained, and wait until they are gone."""
        for each in instances:
            each.upstreams = ()
        self._changed()
        together([partial(self._end, each, drained) for each in instances], name="retiring")

    # --- steps ----------------------------------------------------------------------------------------

    def _track(self, thread: threading.Thread) -> None:
        """Have `stop` wait for a thread."""
        with self._lock:
            self._replacing = [each for each in self._replacing if each.is_alive()] + [thread]

    def _end(self, instance: Instance, drained: Callable[[], bool]) -> None:
        pause = threading.Event()
        while not drained() and not self._stopping():
            pause.wait(0.05)
        try:
            if not instance.over_by_itself:
                instance.stop(RETIRE_GRACE_S, hurried=lambda: self._ground.stopping() > 1)
            self._forget(instance)
        except StopAskedError:
            return
        except SmEmulateError as error:
            self._ground.publish(Warned(message=f"instance {instance.host}: {error.what}"))

    def _forget(self, instance: Instance) -> None:
        """Have an instance that has ended removed, and note how it ended."""
        instance.close()
        with self._lock:
            self._ended |= instance.exit_codes
            if instance in self.instances:
                self.instances.remove(instance)
