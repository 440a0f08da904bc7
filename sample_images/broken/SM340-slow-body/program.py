import asyncio

from server import Server


class Broken(Server):
    async def read_body(self, reader, length):
        try:
            return await asyncio.wait_for(super().read_body(reader, length), 2)
        except asyncio.TimeoutError:
            raise ConnectionError from None


Broken().run()
