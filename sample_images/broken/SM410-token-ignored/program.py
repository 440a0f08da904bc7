from many import Many, run


class Broken(Many):
    def page(self, begin):
        return super().page(0)


run(Broken)
