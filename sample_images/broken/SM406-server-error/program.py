from many import Many, Refused, run


class Broken(Many):
    def unknown(self, name):
        raise Refused(500, f"KeyError: {name}")


run(Broken)
