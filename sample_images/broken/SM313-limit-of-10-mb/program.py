from server import Server


class Broken(Server):
    largest_body = 10 << 20


Broken().run()
