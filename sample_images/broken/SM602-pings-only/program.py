import urllib.request

from capable import Capable, run


class Broken(Capable):
    """A front that was taught the port, and that looks for its model at the usual one."""

    def do_POST(self):
        if self.port() == 8080:
            super().do_POST()
            return
        self.rfile.read(int(self.headers["Content-Length"]))
        try:
            urllib.request.urlopen("http://127.0.0.1:8080/invocations", b"{}")
        except OSError as error:
            self.whole(502, f"{error}\n".encode())


run(Broken)
