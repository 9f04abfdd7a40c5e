"""A checkpoint as the `mteb` package takes a model, so that its text tasks run with it. Needs `pip install mteb`."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from mteb.models.model_meta import ModelMeta, ScoringFunction
from numpy.typing import NDArray

from models.checkpoint import Checkpoint
from models.errors import TextError
from models.runtime.reference import encode_sorted
from training.evaluation.sts import unit


class MtebModel:
    """Follows mteb's EncoderProtocol: a vector per text, compared by cosine, without prompts.

    Args:
        checkpoint: an opened model. Results are kept under its fingerprint, so that other weights are scored anew.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """What mteb writes beside the results."""
        facts: dict[str, Any] = {
            "name": f"mcse/{self._checkpoint.name.split('/')[-1]}",
            "revision": self._checkpoint.fingerprint,
            "languages": ["eng-Latn"],
            "n_parameters": sum(parameter.numel() for parameter in self._checkpoint.model.encoder.parameters()),
            "max_tokens": self._checkpoint.max_tokens,
            "embed_dim": self._checkpoint.dimension,
            "framework": ["PyTorch"],
            "similarity_fn_name": ScoringFunction.COSINE,
            "use_instructions": False,
        }
        return ModelMeta.create_empty(overwrites=facts)

    def encode(self, inputs: Iterable[Mapping[str, Any]], **_: Any) -> NDArray[np.float32]:
        """(n, dimension) vectors of all texts of all batches, not normalised; zeros where no token comes out of a text.

        Args:
            inputs: batches, each with its texts under `text`; what else mteb tells of the task is not used.
        """
        ids = [self._tokenize(text) for batch in inputs for text in batch["text"]]
        vectors = np.zeros((len(ids), self._checkpoint.dimension), dtype=np.float32)
        rows = [row for row, found in enumerate(ids) if found]
        if rows:
            encoder, pad_id = self._checkpoint.model.encoder, self._checkpoint.tokenizer.pad_id
            vectors[rows] = encode_sorted(encoder, [ids[row] for row in rows], pad_id)
        return vectors

    def similarity(self, embeddings1: NDArray[np.float32], embeddings2: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, m) cosine of each of the first to each of the second."""
        cosines: NDArray[np.float64] = unit(embeddings1) @ unit(embeddings2).T
        return cosines

    def similarity_pairwise(
        self, embeddings1: NDArray[np.float32], embeddings2: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """(n,) cosine row by row."""
        cosines: NDArray[np.float64] = (unit(embeddings1) * unit(embeddings2)).sum(axis=1)
        return cosines

    def _tokenize(self, text: str) -> list[int]:
        try:
            return self._checkpoint.tokenizer.encode([text])[0].ids
        except TextError:
            return []
