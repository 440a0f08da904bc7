import threading
from http.server import ThreadingHTTPServer

from capable import Capable, run

if Capable.port() != 8080:
    # "the management port is 8080, always": a neighbour in the pipeline finds it taken
    management = ThreadingHTTPServer(("127.0.0.1", 8080), Capable)
    threading.Thread(target=management.serve_forever, daemon=True).start()
run(Capable)
