import asyncio

from server import Server


class Broken(Server):
    async def ping(self, request):
        await asyncio.sleep(2.6)
        return 200, b"", {}


Broken().run()
