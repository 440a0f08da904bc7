"""A model that writes on: after each word comes one that has followed it before. No weights, no randomness."""

import asyncio

SECONDS_PER_WORD = 0.05
MOST_WORDS = 500
LEARNED_FROM = """
the river runs to the sea and the sea sends the rain to the hills and the hills give the rain to the river
hello to the river and to the rain
"""


def learn(text):
    follows = {}
    words = text.split()
    for word, following in zip(words, [*words[1:], words[0]], strict=True):
        follows.setdefault(word, []).append(following)
    return follows


FOLLOWS = learn(LEARNED_FROM)


async def write(prompt, count):
    """Words that go on from the last one of the prompt, each as soon as it is found."""
    seen = {}
    last = next(reversed(prompt.lower().split()), "the")
    for _ in range(count):
        await asyncio.sleep(SECONDS_PER_WORD)  # a model takes its time; it must not take the event loop's
        choices = FOLLOWS.get(last, ["the"])
        turn = seen[last] = seen.get(last, -1) + 1
        last = choices[turn % len(choices)]
        yield last
