"""Our own runtime, from texts to vectors, in the asked precision."""

from argparse import Namespace
from collections.abc import Sequence

from benchmarks.peers.ways.protocol import Encode, serve
from models import load, open_runtime
from models.runtime.base import Vectors


def open_way(arguments: Namespace) -> Encode:
    """The runtime that this machine and precision get."""
    checkpoint = load(arguments.model)
    runtime = open_runtime(checkpoint, precision=arguments.precision, threads=arguments.threads)

    def encode(texts: Sequence[str]) -> Vectors:
        return runtime.encode([tokenized.ids for tokenized in checkpoint.tokenizer.encode(texts)])

    return encode


if __name__ == "__main__":
    serve(open_way)
