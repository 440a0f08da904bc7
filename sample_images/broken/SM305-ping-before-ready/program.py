import time

from server import Refused, Server


class Broken(Server):
    started = time.monotonic()

    async def predict(self, rows):
        if time.monotonic() - self.started < 2.0:
            raise Refused(503, "the model is still being loaded")
        return await super().predict(rows)


Broken().run()
