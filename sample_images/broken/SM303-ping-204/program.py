from server import Server


class Broken(Server):
    async def ping(self, request):
        return 204, b"", {}


Broken().run()
