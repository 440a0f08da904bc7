from server import Server


class Broken(Server):
    async def invoke(self, request):
        status, body, headers = await super().invoke(request)
        return status, body, headers | {"X-Amzn-SageMaker-Custom-Attributes": "trace=" + "0" * 1100}


Broken().run()
