from many import Many, run


class Broken(Many):
    def load(self, name, url):
        stem = self.target.rpartition("/")[2].removesuffix(".tar.gz")
        super().load(name, f"/opt/ml/models/{stem}/model")


run(Broken)
