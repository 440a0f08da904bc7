import socket

from server import Server


class Broken(Server):
    def load(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way_out:
            way_out.connect(("198.51.100.7", 443))  # stands for a download: there must be a route
        super().load()


Broken().run()
