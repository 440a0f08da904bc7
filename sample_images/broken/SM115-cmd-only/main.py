print("runs with plain `docker run`, and nowhere else")
