from server import Server


class Broken(Server):
    async def refuse(self, refused):
        page = f"<!doctype html><title>{refused.status}</title><h1>{refused.text}</h1>"
        return refused.status, page.encode(), {"Content-Type": "text/html"}


Broken().run()
