import asyncio
import socket

from server import Server


class Broken(Server):
    async def listen(self):
        listening = socket.create_server((self.host, self.port), backlog=8)
        listening.setblocking(False)
        self.accepting = asyncio.create_task(self.accept(listening))
        return listening

    async def accept(self, listening):
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(listening)
            reader, writer = await asyncio.open_connection(sock=connection)
            self.serving = asyncio.create_task(self.serve(reader, writer))
            await asyncio.sleep(0.02)


Broken().run()
