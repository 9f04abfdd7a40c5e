"""Write a BERT-shaped model as ONNX, in float32 and with int8 weights: what ONNX Runtime and OpenVINO read.

python -m benchmarks.peers.ways.export_onnx MODEL DIRECTORY
"""

import sys
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-not-found, unused-ignore]
from torch import Tensor, nn
from transformers import AutoModel

_OPSET = 17


class States(nn.Module):
    """ids and mask, (batch, tokens) int64, to the states of the last layer.

    The mask goes in as a bias and positions are counted here, so that the trace holds for every length.
    """

    def __init__(self, model: str) -> None:
        super().__init__()
        self.network = AutoModel.from_pretrained(model, attn_implementation="eager", trust_remote_code=False)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(batch, tokens, hidden)"""
        states: Tensor = self.network(
            input_ids=ids,
            attention_mask=(1.0 - mask.float())[:, None, None, :] * -1e9,
            position_ids=torch.cumsum(torch.ones_like(ids), 1) - 1,
            token_type_ids=torch.zeros_like(ids),
        ).last_hidden_state
        return states


def main(model: str, directory: Path) -> None:
    """Export once traced, then quantise the file."""
    example = torch.randint(1, 100, (2, 7))
    torch.onnx.export(
        States(model).eval(),
        (example, torch.ones_like(example)),
        str(directory / "float32.onnx"),
        input_names=["ids", "mask"],
        output_names=["states"],
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in ("ids", "mask", "states")},
        opset_version=_OPSET,
        dynamo=False,
    )
    quantize_dynamic(
        directory / "float32.onnx",
        directory / "int8.onnx",
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
