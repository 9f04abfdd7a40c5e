"""Score a model: the seven STS sets, and text-to-image retrieval where it has the heads for it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.mcse import MCSE
from models.runtime.reference import encode_sorted
from models.text import TextTokenizer
from training.evaluation.retrieval import read_flickr8k_test, recall_at
from training.evaluation.sts import STS_SETS, read_set, spearman


@dataclass(frozen=True, slots=True)
class Scores:
    """What an evaluation found, all x 100."""

    sts: dict[str, float]
    """Spearman per set, all its pairs together."""
    retrieval: dict[str, float] = field(default_factory=dict)
    """Text-to-image recall@1, 5 and 10 on Flickr8k test; empty without a grounding head."""

    @property
    def sts_average(self) -> float:
        """Plain mean of the seven sets."""
        return sum(self.sts.values()) / len(self.sts)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "sts_average": self.sts_average}


class Evaluator:
    """Encodes with a model as it stands: evaluation mode, no head, no training length.

    Args:
        model: its mode is put back after each call.
        tokenizer: with the model's own token limit.
        data: the folder of evaluation data.
    """

    def __init__(self, model: MCSE, tokenizer: TextTokenizer, data: Path) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._data = data

    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimension) sentence vectors, not normalised."""
        was_training = self._model.training
        self._model.eval()
        ids = [tokenized.ids for tokenized in self._tokenizer.encode(sentences)]
        vectors = encode_sorted(self._model.encoder, ids, self._tokenizer.pad_id)
        self._model.train(was_training)
        return vectors

    def sts(self, name: str) -> float:
        """Spearman x 100 on one set; `STSB-dev` chooses checkpoints."""
        return spearman(self.encode, read_set(name, self._data))

    def check(self) -> None:
        """Read every set once, so that a missing file is told before a run and not after it.

        Raises:
            DataError: evaluation data is missing or malformed.
        """
        for name in (*STS_SETS, "STSB-dev"):
            read_set(name, self._data)
        if (self._data / "flickr8k").is_dir():
            read_flickr8k_test(self._data)

    def all(self, on_set: Callable[[str], None] = lambda _name: None) -> Scores:
        """Every score; `on_set` is called with the name of each set before it.

        Raises:
            DataError: evaluation data is missing or malformed.
        """
        sts = {}
        for name in STS_SETS:
            on_set(name)
            sts[name] = self.sts(name)
        on_set("retrieval")
        return Scores(sts, self.retrieval())

    @torch.inference_mode()
    def retrieval(self) -> dict[str, float]:
        """Text-to-image recall on Flickr8k test; empty without heads or for other image features."""
        grounding, image = self._model.grounding, self._model.image
        if grounding is None or image is None or not (self._data / "flickr8k").is_dir():
            return {}
        test = read_flickr8k_test(self._data)
        if image.dense.in_features != test.features.shape[1]:
            return {}
        was_training = self._model.training
        vectors = torch.from_numpy(self.encode(test.captions))
        self._model.eval()
        device = next(grounding.parameters()).device
        sentences = grounding(vectors.to(device)).cpu().numpy()
        images = image(torch.from_numpy(test.features).to(device)).cpu().numpy()
        self._model.train(was_training)
        return recall_at(sentences, images, test.image_of)
