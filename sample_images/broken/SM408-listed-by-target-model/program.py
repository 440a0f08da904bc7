from many import MODELS, Many, run


class Broken(Many):
    def read(self, url):
        return super().read(url) | {"target": self.target}

    def page(self, begin):
        page = super().page(begin)
        for each in page["models"]:
            each["modelName"] = MODELS[each["modelName"]]["target"]
        return page


run(Broken)
