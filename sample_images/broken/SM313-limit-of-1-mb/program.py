from server import Server


class Broken(Server):
    largest_body = 1 << 20


Broken().run()
