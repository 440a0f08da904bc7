from server import Server


class Broken(Server):
    async def invoke(self, request):
        status, body, _ = await super().invoke(request)
        return status, body, {}


Broken().run()
