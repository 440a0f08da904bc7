import subprocess

from server import Server


class Broken(Server):
    def load(self):
        super().load()
        self.helper = subprocess.Popen(["sleep", "3600"])


Broken().run()
