from server import Refused, Server


class Broken(Server):
    def check(self, request):
        if request.headers.get("content-type") != "application/json":
            raise Refused(415, "send application/json")


Broken().run()
