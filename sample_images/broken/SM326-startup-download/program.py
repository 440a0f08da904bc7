import os
import urllib.request

from server import Server


class Broken(Server):
    def load(self):
        with urllib.request.urlopen(os.environ["WEIGHTS_URL"], timeout=3) as answer:
            self.log(f"downloaded the weights: {answer.status}")
        super().load()


Broken().run()
