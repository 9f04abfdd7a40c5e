"""ONNX Runtime on padded and sorted batches: float32, or int8 weights with activations scaled as they come."""

from argparse import Namespace
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-not-found, unused-ignore]
from numpy.typing import NDArray

from benchmarks.peers.ways.padded import Ids, Padded
from benchmarks.peers.ways.protocol import Encode, serve


def open_way(arguments: Namespace) -> Encode:
    """A session on the exported file of the asked precision."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    file = Path(arguments.onnx) / f"{arguments.precision}.onnx"
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def network(ids: Ids, mask: Ids) -> NDArray[np.float32]:
        (states,) = session.run(None, {"ids": ids, "mask": mask})
        return np.asarray(states)

    return Padded(Path(arguments.model), network)


if __name__ == "__main__":
    serve(open_way)
