from server import Refused, Server


class Broken(Server):
    async def route(self, request):
        if request.path == "/ping":
            raise Refused(404, "no such path")
        if request.path == "/health":
            return 200, b"", {}
        return await super().route(request)


Broken().run()
