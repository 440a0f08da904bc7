from capable import Capable, run


class Broken(Capable):
    """Chunks there are, behind a proxy that keeps them until it has them all."""

    wbufsize = -1

    def stream(self, parts):
        self.head(200, {"Content-Type": "application/x-ndjson", "Transfer-Encoding": "chunked"})
        self.wfile.flush()
        for part in parts:
            self.chunk(part)
        self.chunk(b"")


run(Broken)
