"""The worker's side: open the model, say so, then encode what is asked for and tell the seconds.

Runs in the environment of a peer, so it needs nothing but the standard library and NumPy.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to vectors, (n, dimension)"""
Open = Callable[[argparse.Namespace], Encode]


def serve(open_way: Open) -> None:
    """Answer until standard input ends.

    What libraries print goes to standard error, so that nothing mixes with the answers.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--onnx", default="")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    encode = open_way(arguments)
    _say(answers.write, {"ready": True})
    answers.flush()
    for line in sys.stdin:
        question = json.loads(line)
        started = time.perf_counter()
        vectors = encode(question["texts"])
        seconds = time.perf_counter() - started
        if "to" in question:
            np.save(question["to"], np.asarray(vectors, dtype=np.float32))
        _say(answers.write, {"seconds": seconds})
        answers.flush()


def _say(write: Callable[[str], object], answer: dict[str, object]) -> None:
    write(json.dumps(answer) + "\n")
