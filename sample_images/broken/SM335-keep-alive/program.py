from server import Server


class Broken(Server):
    async def write(self, writer, status, body, headers, *, close):
        await super().write(writer, status, body, headers, close=False)  # says that it goes on
        writer.close()


Broken().run()
