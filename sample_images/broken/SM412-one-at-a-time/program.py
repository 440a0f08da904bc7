from many import HTTPServer, Many, run

run(Many, HTTPServer)
