"""The model behind /ping and /invocations."""

import csv
import traceback

import joblib
from flask import Flask, Response, request

MODEL = "/opt/ml/model/tree.joblib"

app = Flask(__name__)

# Loaded once, before gunicorn forks its workers. Without a model the server still runs, so that /ping can say so.
try:
    tree = joblib.load(MODEL)
except Exception:
    traceback.print_exc()
    tree = None


def text(body, status=200, kind="text/plain"):
    return Response(body, status=status, content_type=kind)


@app.get("/ping")
def ping():
    return text("\n") if tree is not None else text(f"no model at {MODEL}\n", 503)


@app.post("/invocations")
def invocations():
    if tree is None:
        return text(f"no model at {MODEL}\n", 503)
    if request.mimetype != "text/csv":
        return text(f"expected text/csv, got {request.mimetype or 'no content type'}\n", 415)
    try:
        lines = request.get_data(as_text=True).splitlines()
        table = [[float(cell) for cell in row] for row in csv.reader(lines) if row]
        # An empty payload asks nothing and is answered with nothing.
        predictions = tree.predict(table) if table else []
    except (ValueError, csv.Error) as error:
        return text(f"not a table of numbers that this model knows: {error}\n", 400)
    return text("".join(f"{label}\n" for label in predictions), kind="text/csv")
