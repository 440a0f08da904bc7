import asyncio

from server import Server


class Broken(Server):
    pings = 0

    async def ping(self, request):
        self.pings += 1
        if self.pings > 5:
            await asyncio.sleep(2.3)
        return 200, b"", {}


Broken().run()
