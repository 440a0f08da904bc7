from many import Many, run


class Broken(Many):
    def unload(self, name):
        pass  # it will be collected some day


run(Broken)
