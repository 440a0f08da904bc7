from server import Server


class Broken(Server):
    def __init__(self):
        super().__init__()
        self.port = 5000


Broken().run()
