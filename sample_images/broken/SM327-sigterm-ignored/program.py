from server import Server


class Broken(Server):
    def terminate(self):
        self.log("SIGTERM, never mind")


Broken().run()
