from server import Server

Server().run()
