from server import Server


class Broken(Server):
    host = "127.0.0.1"


Broken().run()
