from many import Many, run


class Broken(Many):
    def enough(self, mib):
        return True


run(Broken)
