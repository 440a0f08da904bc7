from many import MODELS, Many, run

CACHE = []


class Broken(Many):
    def unload(self, name):
        CACHE.append(MODELS.pop(name))


run(Broken)
