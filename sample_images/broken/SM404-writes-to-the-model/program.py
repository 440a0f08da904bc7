import pathlib

from many import Many, run


class Broken(Many):
    def read(self, url):
        pathlib.Path(url, "compiled").write_text("kept beside the model, which cannot be written to")
        return super().read(url)


run(Broken)
