from server import Server


class Broken(Server):
    async def refuse(self, refused):
        return refused.status, refused.text.encode() * 200, {"Content-Type": "text/plain"}


Broken().run()
