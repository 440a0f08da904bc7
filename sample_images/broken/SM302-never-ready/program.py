from server import Server


class Broken(Server):
    async def ping(self, request):
        return 503, b"loading", {"Content-Type": "text/plain"}


Broken().run()
