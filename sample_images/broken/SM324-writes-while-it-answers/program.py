from server import MODEL, Refused, Server


class Broken(Server):
    async def predict(self, rows):
        try:
            (MODEL.parent / "cache.bin").write_bytes(b"")
        except OSError as error:
            raise Refused(500, f"cannot cache: {error.strerror}") from error
        return await super().predict(rows)


Broken().run()
