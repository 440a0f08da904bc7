from server import Server


class Broken(Server):
    async def invoke(self, request):
        status, body, _ = await super().invoke(request)
        return status, body, {"Content-Type": "text/html; charset=utf-8"}


Broken().run()
