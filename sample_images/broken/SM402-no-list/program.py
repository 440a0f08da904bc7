from many import MODELS, Many, run


class Broken(Many):
    def page(self, begin):
        return super().page(begin) if MODELS else {"models": None}


run(Broken)
