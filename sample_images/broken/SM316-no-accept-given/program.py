from server import Refused, Server


class Broken(Server):
    def check(self, request):
        super().check(request)
        if request.headers.get("accept") != "application/json":
            raise Refused(406, "only application/json can be given")


Broken().run()
