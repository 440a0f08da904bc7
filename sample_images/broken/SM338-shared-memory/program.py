import pathlib

from server import Server


class Broken(Server):
    def load(self):
        super().load()
        pathlib.Path("/dev/shm/ring").write_bytes(bytes(100 << 20))


Broken().run()
