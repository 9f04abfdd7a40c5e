"""The losses of one batch: what the model names, weighted as the configuration says, and their gradients."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.encoder import TextEncoder
from models.mcse import MCSE, MCSEOutput
from models.runtime.reference import encode_sorted
from models.text import TextTokenizer
from training.config import ObjectiveConfig
from training.data.corpus import Batch
from training.objective.encode import GroupedEncoder, derived_seed
from training.objective.losses import anchor_loss, grounding_loss, hard_negative_loss, simcse_loss
from training.objective.mlm import MLMHead, mask_tokens, mlm_loss_sum
from training.processes import Processes

_MLM = 1_000_000  # keeps the seeds of its masks and dropout apart from those of the groups


@dataclass(frozen=True, slots=True)
class BatchLoss:
    """What a batch cost, and its parts before weighting; a part that does not apply is None."""

    total: Tensor
    text: Tensor
    grounding: Tensor | None = None
    anchor: Tensor | None = None

    def as_floats(self) -> dict[str, float]:
        """The parts that apply, for the log."""
        parts = {"loss": self.total, "text": self.text, "grounding": self.grounding, "anchor": self.anchor}
        return {name: value.item() for name, value in parts.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Objective:
    """SimCSE on every batch; grounding on caption batches; anchor and masked-LM loss where asked for."""

    model: MCSE
    """In training mode when used"""
    tokenizer: TextTokenizer
    config: ObjectiveConfig
    encoder: GroupedEncoder
    processes: Processes
    start: TextEncoder | None
    """The untrained encoder, where `anchor_weight` is above 0"""
    mlm: MLMHead | None
    """Where `mlm_weight` is above 0"""

    def backward(self, batch: Batch, seed: int, *, scale: float = 1.0) -> dict[str, float]:
        """Add the gradients of a batch's loss to the parameters.

        Args:
            batch: this process's rows of it.
            seed: of dropout; another one for each batch and process.
            scale: multiplies the gradients, 1 / n where n batches make a step.

        Returns:
            The loss and its parts over the batches of all processes.
        """
        # Both views go through together: dropout draws a mask per row, so the two are independent.
        first = batch.columns[0]
        rows = [*first, *(row for column in batch.columns[1:] or (first,) for row in column)]
        output = self.encoder.encode(rows, seed)
        loss = self.losses(output, batch)
        (loss.total * scale).backward()  # type: ignore[no-untyped-call]
        if self.encoder.chunk_size is not None:
            self.encoder.backward(rows, seed, output)
        parts = loss.as_floats()
        if self.mlm is not None:
            parts["mlm"] = self._mlm_backward(self.mlm, batch, seed, scale)
            parts["loss"] += self.config.mlm_weight * parts["mlm"]
        return parts

    def losses(self, output: MCSEOutput, batch: Batch) -> BatchLoss:
        """Losses over the batches of all processes, from the encoded rows of this one.

        Args:
            output: both views, (2 x batch, ...) or with hard negatives (3 x batch, ...).
            batch: what was encoded.
        """
        config, size = self.config, len(batch)
        text = self._text(torch.split(output.projected, size))
        total = config.text_weight * text
        grounding = anchor = None
        if batch.features is not None and output.grounded is not None:
            grounding = self._grounding(output.grounded, batch)
            total = total + config.grounding_weight * grounding
        if self.start is not None:
            anchor = self._anchor(self.start, output.sentence, batch)
            total = total + config.anchor_weight * anchor
        return BatchLoss(total, text, grounding, anchor)

    def _text(self, views: tuple[Tensor, ...]) -> Tensor:
        first, second, *negative = (self.processes.gather(view) for view in views)
        temperature = self.config.temperature
        if negative:
            return hard_negative_loss(first, second, negative[0], temperature, self.config.hard_negative_weight)
        return simcse_loss(first, second, temperature)

    def _grounding(self, grounded: Tensor, batch: Batch) -> Tensor:
        images = self.model.project_images(torch.from_numpy(batch.features).to(grounded.device))
        first, second = torch.split(grounded, len(batch))
        return grounding_loss(
            self.processes.gather(first),
            self.processes.gather(second),
            self.processes.gather(images),
            self.config.grounding_temperature,
            image_to_text=self.config.image_to_text,
        )

    def _anchor(self, start: TextEncoder, sentence: Tensor, batch: Batch) -> Tensor:
        first, second = torch.split(sentence, len(batch))[:2]
        with torch.autocast(sentence.device.type, torch.bfloat16, enabled=self.encoder.bfloat16):
            vectors = encode_sorted(start, batch.columns[0], self.tokenizer.pad_id)
        gathered = self.processes.gather(torch.from_numpy(vectors).to(sentence.device))
        return anchor_loss(self.processes.gather(first), self.processes.gather(second), gathered)

    def _mlm_backward(self, head: MLMHead, batch: Batch, seed: int, scale: float) -> float:
        """The masked-LM loss is the mean over the hidden tokens of all processes; an own pass through the encoder."""
        rows = batch.columns[0]
        own_seed = derived_seed(seed, _MLM)
        hidden, asked = mask_tokens(rows, self.tokenizer, self.config.mlm_probability, own_seed)
        device = self.model.encoder.backbone.device
        torch.manual_seed(own_seed)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.encoder.bfloat16):
            total, count = mlm_loss_sum(self.model.encoder, head, rows, hidden, asked, self.tokenizer.pad_id)
        everywhere = self.processes.sum(torch.tensor(float(max(count, 1)), device=device))
        loss = total / everywhere
        (loss * self.config.mlm_weight * scale).backward()  # type: ignore[no-untyped-call]
        return self.processes.sum(loss).item()
