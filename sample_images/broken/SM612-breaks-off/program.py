from capable import Capable, run


class Broken(Capable):
    def stream(self, parts):
        self.head(200, {"Content-Type": "application/x-ndjson", "Transfer-Encoding": "chunked"})
        for part in parts:
            self.chunk(part)
        self.close_connection = True  # without the last chunk


run(Broken)
