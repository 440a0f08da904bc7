import time

from server import Server


class Broken(Server):
    async def predict(self, rows):
        time.sleep(2.3)  # nothing else happens in an event loop meanwhile
        return await super().predict(rows)


Broken().run()
