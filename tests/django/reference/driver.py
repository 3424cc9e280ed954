"""Django's driver: reads one sequence of calls in each line, and writes its answers in one line. Signed data have own lines."""

import json
import sys

import project  # noqa: F401 - configures Django before anything else of it is imported
import clock
import signed_form
from replay import Replay


def answers(sequence):
    if "signing" in sequence:
        return signed_form.answer(sequence)
    replay = Replay(sequence)
    # A copy, because later steps may change the values of an answer.
    return [json.loads(json.dumps(replay.answer(step))) for step in sequence["steps"]]


clock.freeze()
for line in sys.stdin:
    sequence = json.loads(line)
    try:
        answer = {"answers": answers(sequence)}
    except Exception as error:
        answer = {"broken": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
