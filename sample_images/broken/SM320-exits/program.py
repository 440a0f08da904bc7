import os

from server import Server


class Broken(Server):
    def gone(self):
        print("BrokenPipeError", flush=True)
        os._exit(1)


Broken().run()
