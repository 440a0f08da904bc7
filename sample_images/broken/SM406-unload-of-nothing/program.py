from many import MODELS, Many, run


class Broken(Many):
    def delete(self, parts):
        if parts[1] in MODELS:
            super().delete(parts)
        else:
            self.answer(200, {"status": "unloaded"})


run(Broken)
