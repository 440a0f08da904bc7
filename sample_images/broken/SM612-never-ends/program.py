import threading

from capable import Capable, run


class Broken(Capable):
    def parts(self, prompt):
        yield from super().parts(prompt)
        threading.Event().wait()  # for the next question, on the same stream


run(Broken)
