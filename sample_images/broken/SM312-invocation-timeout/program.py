import asyncio

from server import Server


class Broken(Server):
    async def predict(self, rows):
        await asyncio.sleep(3600)

    def terminate(self):
        self.under_way = 0
        super().terminate()


Broken().run()
