from server import Server


class Broken(Server):
    unwell = False

    def gone(self):
        self.unwell = True  # its only worker waits for the rest for ever

    async def ping(self, request):
        return (503, b"no worker is free", {}) if self.unwell else (200, b"", {})


Broken().run()
