from server import MODEL, Server


class Broken(Server):
    def load(self):
        MODEL.parent.mkdir(parents=True, exist_ok=True)
        (MODEL.parent / "compiled.bin").write_bytes(b"")
        super().load()


Broken().run()
