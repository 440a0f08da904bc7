import random

from server import Server


class Broken(Server):
    def load(self):
        self.bias = random.random()  # weights that were not found are made up


Broken().run()
