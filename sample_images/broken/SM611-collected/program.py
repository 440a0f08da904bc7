from capable import Capable, run


class Broken(Capable):
    def stream(self, parts):
        self.whole(200, b"".join(parts), {"Content-Type": "application/x-ndjson"})


run(Broken)
