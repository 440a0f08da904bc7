from server import Server


class Broken(Server):
    async def refuse(self, refused):
        _, body, headers = await super().refuse(refused)
        return 500, body, headers


Broken().run()
