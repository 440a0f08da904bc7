from many import Many, Refused, run


class Broken(Many):
    def enough(self, mib):
        if not super().enough(mib):
            raise Refused(500, "MemoryError")
        return True


run(Broken)
