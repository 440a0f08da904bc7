from server import Refused, Server


class Broken(Server):
    async def route(self, request):
        if request.path == "/invocations":
            raise Refused(404, "use /predict")
        return await super().route(request)


Broken().run()
