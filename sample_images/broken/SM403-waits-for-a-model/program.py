from many import MODELS, Many, Refused, run


class Broken(Many):
    def ping(self):
        if not MODELS:
            raise Refused(503, "no model is loaded")
        super().ping()


run(Broken)
