from server import Server


class Broken(Server):
    def __init__(self):
        super().__init__()
        self.port = 8080


Broken().run()
