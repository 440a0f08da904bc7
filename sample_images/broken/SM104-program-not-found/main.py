print("nobody runs this")
