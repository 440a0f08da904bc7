from server import Server


class Broken(Server):
    def load(self):
        super().load()
        self.log("WARNING: This is a development server. Do not use it in a production deployment.")


Broken().run()
