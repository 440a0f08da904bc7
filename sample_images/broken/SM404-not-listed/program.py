from many import Many, Refused, run


class Broken(Many):
    def get(self, parts):
        if len(parts) == 2:
            raise Refused(404, "models are not told one by one")
        super().get(parts)


run(Broken)
