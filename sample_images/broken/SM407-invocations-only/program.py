from many import Many, Refused, run


class Broken(Many):
    def invoke(self, name, body):
        raise Refused(500, "this server answers at /invocations")


run(Broken)
