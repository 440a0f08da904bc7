import pathlib

from server import Server


class Broken(Server):
    def load(self):
        pathlib.Path("/var/run/server.pid").write_text("1")
        super().load()


Broken().run()
