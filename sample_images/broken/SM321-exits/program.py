import os

from server import Server


class Broken(Server):
    refusals = 0

    async def refuse(self, refused):
        self.refusals += 1
        if self.refusals > 30:
            print("terminate called after throwing an instance of 'std::bad_alloc'", flush=True)
            os._exit(134)
        return await super().refuse(refused)


Broken().run()
