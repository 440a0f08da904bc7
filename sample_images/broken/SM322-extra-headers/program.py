from server import Refused, Server


class Broken(Server):
    known = ("content-type", "custom-attributes", "target-model")

    def check(self, request):
        super().check(request)
        for name in request.headers:
            if name.startswith("x-amzn-") and not name.endswith(self.known):
                raise Refused(400, f"unknown header {name}")


Broken().run()
