from many import LOCK, MODELS, Many, run


class Broken(Many):
    def load(self, name, url):
        with LOCK:
            MODELS[name] = self.read(url)


run(Broken)
