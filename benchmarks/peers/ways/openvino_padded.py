"""OpenVINO on padded and sorted batches of the ONNX export, in float32 or bfloat16."""

from argparse import Namespace
from pathlib import Path

import numpy as np
import openvino  # type: ignore[import-not-found, unused-ignore]
from numpy.typing import NDArray

from benchmarks.peers.ways.padded import Ids, Padded
from benchmarks.peers.ways.protocol import Encode, serve


def open_way(arguments: Namespace) -> Encode:
    """A model compiled for this processor."""
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if arguments.precision == "bfloat16" else "f32",
        "INFERENCE_NUM_THREADS": arguments.threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(str(Path(arguments.onnx) / "float32.onnx"), "CPU", settings)

    def network(ids: Ids, mask: Ids) -> NDArray[np.float32]:
        return np.asarray(compiled({"ids": ids, "mask": mask})[0])

    return Padded(Path(arguments.model), network)


if __name__ == "__main__":
    serve(open_way)
