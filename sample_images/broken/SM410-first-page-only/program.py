from many import Many, run


class Broken(Many):
    def page(self, begin):
        page = super().page(begin)
        page.pop("nextPageToken", None)
        return page


run(Broken)
