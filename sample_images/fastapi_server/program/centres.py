"""A model of one centre for each class."""

import csv
import json


def rows(text):
    return [row for row in csv.reader(text.splitlines()) if row]


def fit(table):
    sums = {}
    for label, *cells in table:
        count, known = sums.get(label, (0, [0.0] * len(cells)))
        sums[label] = count + 1, [one + float(cell) for one, cell in zip(known, cells, strict=True)]
    return {label: [one / count for one in known] for label, (count, known) in sums.items()}


def load(path):
    return json.loads(path.read_text())


def nearest(centres, features):
    return min(centres, key=lambda label: sum((a - b) ** 2 for a, b in zip(centres[label], features, strict=True)))
