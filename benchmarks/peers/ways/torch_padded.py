"""transformers' own model in torch, float32 or bfloat16, on padded and sorted batches."""

from argparse import Namespace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel

from benchmarks.peers.ways.padded import Ids, Padded, pools_cls
from benchmarks.peers.ways.protocol import Encode, serve


def open_way(arguments: Namespace) -> Encode:
    """The model in the asked precision; pooled in torch."""
    torch.set_num_threads(arguments.threads)
    dtype = torch.bfloat16 if arguments.precision == "bfloat16" else torch.float32
    model = AutoModel.from_pretrained(arguments.model, trust_remote_code=False).to(dtype).eval()
    cls = pools_cls(Path(arguments.model))

    @torch.inference_mode()
    def network(ids: Ids, mask: Ids) -> NDArray[np.float32]:
        kept = torch.from_numpy(mask)
        states = model(input_ids=torch.from_numpy(ids), attention_mask=kept).last_hidden_state
        weights = kept[:, :, None].to(dtype)
        pooled = states[:, 0] if cls else (states * weights).sum(1) / weights.sum(1)
        found: NDArray[np.float32] = pooled.float().numpy()
        return found

    return Padded(Path(arguments.model), network)


if __name__ == "__main__":
    serve(open_way)
