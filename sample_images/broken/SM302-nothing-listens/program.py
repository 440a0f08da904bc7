import signal

print("loading")
signal.sigwait({signal.SIGTERM})
