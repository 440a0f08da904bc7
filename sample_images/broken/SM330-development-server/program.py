from server import Server


class Broken(Server):
    async def write(self, writer, status, body, headers, *, close):
        headers = headers | {"Server": "Werkzeug/3.0.4 Python/3.11.2"}
        await super().write(writer, status, body, headers, close=close)


Broken().run()
