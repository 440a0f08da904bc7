from server import Server


class Broken(Server):
    refusals = 0

    async def refuse(self, refused):
        self.refusals += 1
        return await super().refuse(refused)

    async def ping(self, request):
        return (503, b"no worker is left", {}) if self.refusals > 3 else (200, b"", {})


Broken().run()
