import sys

from server import MODEL, Server


class Broken(Server):
    def load(self):
        if not MODEL.exists():
            sys.exit(1)
        super().load()


Broken().run()
