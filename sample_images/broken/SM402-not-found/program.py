from many import MODELS, Many, Refused, run


class Broken(Many):
    def page(self, begin):
        if not MODELS:
            raise Refused(404, "no models")
        return super().page(begin)


run(Broken)
