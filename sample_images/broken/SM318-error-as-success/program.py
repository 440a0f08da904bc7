import json

from server import Server


class Broken(Server):
    async def refuse(self, refused):
        return 200, json.dumps({"error": refused.text}).encode(), {"Content-Type": "application/json"}


Broken().run()
