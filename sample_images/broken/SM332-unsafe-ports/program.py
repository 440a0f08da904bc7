import asyncio

from server import Server


class Broken(Server):
    async def listen(self):
        self.metrics = await asyncio.start_server(self.serve, self.host, 8002)
        return await super().listen()


Broken().run()
