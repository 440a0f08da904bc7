import asyncio

from server import Refused, Server


class Broken(Server):
    busy = False

    async def predict(self, rows):
        if self.busy:
            raise Refused(503, "the model is busy")
        self.busy = True
        await asyncio.sleep(0.05)
        self.busy = False
        return await super().predict(rows)


Broken().run()
