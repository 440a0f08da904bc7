import sys

print("loading the tokenizer")
sys.exit("KeyError: 'vocab'")
