import signal
import sys

from server import MODEL, Server


class Broken(Server):
    def load(self):
        if not MODEL.exists():
            signal.sigwait({signal.SIGTERM})  # for a model that never comes
            sys.exit(0)
        super().load()


Broken().run()
