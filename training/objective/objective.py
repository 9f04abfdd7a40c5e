"""The losses of one batch: what the model names, weighted as the configuration says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.encoder import TextEncoder, collate
from models.mcse import MCSE, MCSEOutput
from models.runtime.reference import encode_sorted
from models.text import TextTokenizer
from training.config import ObjectiveConfig
from training.objective.losses import anchor_loss, grounding_loss, simcse_loss

_GROUP = 64  # rows; on a CPU smaller groups pad less, larger ones multiply larger matrices


@dataclass(frozen=True, slots=True)
class BatchLoss:
    """What a batch cost, and its parts before weighting; a part that does not apply is None."""

    total: Tensor
    text: Tensor
    grounding: Tensor | None
    anchor: Tensor | None

    def as_floats(self) -> dict[str, float]:
        """The parts that apply, for the log."""
        parts = {"loss": self.total, "text": self.text, "grounding": self.grounding, "anchor": self.anchor}
        return {name: value.item() for name, value in parts.items() if value is not None}


class Objective:
    """SimCSE on every batch; grounding on caption batches; an anchor to the start on every batch, where asked for.

    Args:
        model: encoder and heads, in training mode when called.
        tokenizer: cuts at the training length.
        config: temperatures and weights.
        start: the untrained encoder, needed where `anchor_weight` is above 0.
        bfloat16: compute matrix products in bf16.
    """

    def __init__(
        self,
        model: MCSE,
        tokenizer: TextTokenizer,
        config: ObjectiveConfig,
        *,
        start: TextEncoder | None = None,
        bfloat16: bool = False,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._config = config
        self._start = start
        self._bfloat16 = bfloat16
        self._device = model.encoder.backbone.device

    def __call__(self, sentences: Sequence[str], features: NDArray[np.float32] | None = None) -> BatchLoss:
        """Losses of a text batch, or with features of a caption batch.

        Args:
            sentences: (batch) texts.
            features: (batch, width) image features, row by row; None for a text batch.
        """
        config, size = self._config, len(sentences)
        ids = [tokenized.ids for tokenized in self._tokenizer.encode(sentences)]
        # Both views go through together: dropout draws a mask per row, so the two are independent.
        output = self._forward(ids + ids)
        first, second = torch.split(output.projected.float(), size)
        text = simcse_loss(first, second, config.temperature)
        total = config.text_weight * text
        grounding = None
        if features is not None and output.grounded is not None:
            grounding = self._grounding(output.grounded, features)
            total = total + config.grounding_weight * grounding
        anchor = None
        if self._start is not None:
            anchor = self._anchor(output.sentence, ids)
            total = total + config.anchor_weight * anchor
        return BatchLoss(total, text, grounding, anchor)

    def _forward(self, ids: list[list[int]]) -> MCSEOutput:
        """Run the model in groups of similar length, so that little padding is computed; rows keep their order."""
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        outputs = []
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
            for start in range(0, len(order), _GROUP):
                group = [ids[row] for row in order[start : start + _GROUP]]
                outputs.append(self._model(collate(group, self._tokenizer.pad_id).to(self._device)))
        back = torch.tensor(order, device=self._device).argsort()
        return MCSEOutput(
            sentence=torch.cat([output.sentence for output in outputs])[back],
            projected=torch.cat([output.projected for output in outputs])[back],
            grounded=torch.cat([output.grounded for output in outputs])[back]
            if outputs[0].grounded is not None
            else None,
        )

    def _grounding(self, grounded: Tensor, features: NDArray[np.float32]) -> Tensor:
        images = self._model.project_images(torch.from_numpy(features).to(self._device))
        first, second = torch.split(grounded.float(), len(features))
        return grounding_loss(
            first,
            second,
            images,
            self._config.grounding_temperature,
            image_to_text=self._config.image_to_text,
        )

    def _anchor(self, sentence: Tensor, ids: list[list[int]]) -> Tensor:
        assert self._start is not None  # noqa: S101  (narrowing)
        first, second = torch.split(sentence.float(), len(ids))
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
            start = encode_sorted(self._start, ids, self._tokenizer.pad_id)
        return anchor_loss(first, second, torch.from_numpy(start).to(self._device))
