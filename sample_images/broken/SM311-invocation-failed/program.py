from server import Refused, Server


class Broken(Server):
    async def predict(self, rows):
        raise Refused(500, "CUDA error: no kernel image is available")


Broken().run()
