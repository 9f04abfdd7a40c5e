"""sentence-transformers as its guide shows it: `encode`, float32, its own batches of 32."""

from argparse import Namespace
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from benchmarks.peers.ways.protocol import Encode, serve


def open_way(arguments: Namespace) -> Encode:
    """The model on the CPU."""
    torch.set_num_threads(arguments.threads)
    model = SentenceTransformer(arguments.model, device="cpu")

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.asarray(model.encode(list(texts), batch_size=32, show_progress_bar=False))

    return encode


if __name__ == "__main__":
    serve(open_way)
