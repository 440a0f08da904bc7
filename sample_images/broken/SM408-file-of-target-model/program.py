import pathlib

from many import Many, Refused, run


class Broken(Many):
    def read(self, url):
        stem = self.target.rpartition("/")[2].removesuffix(".tar.gz")
        if not pathlib.Path(url, f"{stem}.bin").exists():
            raise Refused(500, f"no {stem}.bin in the archive")
        return super().read(url)


run(Broken)
