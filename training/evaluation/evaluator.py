"""Score a model: the seven STS sets, transfer, geometry, and retrieval where it has the heads for it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from models.mcse import MCSE
from models.runtime.reference import encode_sorted
from models.text import TextTokenizer
from training.evaluation.aggregate import SetScores, score_set
from training.evaluation.geometry import batch_means, whole_set
from training.evaluation.own import OwnData
from training.evaluation.retrieval import RetrievalSet, image_to_text, read_flickr8k_test, text_to_image
from training.evaluation.scores import DevScores, Scores, SetGeometry
from training.evaluation.sts import (
    STS_DEV,
    STS_SETS,
    IndexedPairs,
    Pairs,
    cosines,
    rank_correlation,
    read_set,
    spearman,
    unit,
)
from training.evaluation.tasks import TRANSFER_TASKS, read_task

Task = Literal["sts", "retrieval", "geometry", "transfer"]
TASKS: tuple[Task, ...] = get_args(Task)
DEFAULT_TASKS: tuple[Task, ...] = ("sts", "retrieval", "geometry")
"""What takes seconds to minutes; transfer encodes a hundred thousand sentences more"""

OnSet = Callable[[str], None]


def check_data(data: Path, tasks: Collection[Task] = DEFAULT_TASKS) -> None:
    """Read what the tasks need once, so that a missing file is told before the work and not after it.

    Raises:
        DataError: evaluation data is missing or malformed.
    """
    if "sts" in tasks or "geometry" in tasks:
        for name in (*STS_SETS, STS_DEV):
            read_set(name, data)
    if "retrieval" in tasks and (data / "flickr8k").is_dir():
        read_flickr8k_test(data)
    if "transfer" in tasks:
        for name in TRANSFER_TASKS:
            read_task(name, data)


@dataclass(frozen=True, slots=True)
class _Dev:
    """STS-B dev, read and tokenized once."""

    pairs: Pairs
    indexed: IndexedPairs
    ids: list[list[int]]


class Evaluator:
    """Encodes with a model as it stands: evaluation mode, no head, no training length.

    Args:
        model: its mode is put back after each call.
        tokenizer: with the model's own token limit.
        data: the folder of evaluation data.
        own: what takes the place of STS-B dev and of Flickr8k test. With own pairs the STS sets are not scored.
    """

    def __init__(self, model: MCSE, tokenizer: TextTokenizer, data: Path, own: OwnData | None = None) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._data = data
        self._own = own or OwnData()

    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimension) sentence vectors, not normalised."""
        return self._encode_ids(self._tokenize(sentences))

    def sts(self, name: str) -> float:
        """Spearman x 100 on one set."""
        return spearman(self.encode, read_set(name, self._data))

    def dev(self) -> DevScores:
        """STS-B dev or the own pairs, which choose checkpoints: distinct sentences, tokenized at the first call.

        Raises:
            DataError: evaluation data is missing or malformed.
        """
        dev = self._dev
        vectors = unit(self._encode_ids(dev.ids))
        geometry = whole_set(dev.pairs, dev.indexed, vectors)
        correlation = rank_correlation(cosines(dev.indexed, vectors), dev.pairs.gold)
        return DevScores(correlation, geometry.alignment, geometry.uniformity)

    def check(self) -> None:
        """See `check_data`, with the default tasks that need published data.

        Raises:
            DataError: evaluation data is missing or malformed.
        """
        check_data(self._data, self._published(DEFAULT_TASKS))

    def all(self, on_set: OnSet = lambda _name: None, tasks: Collection[Task] = DEFAULT_TASKS) -> Scores:
        """Every score of the tasks; `on_set` is called with the name of each set before it.

        Raises:
            DataError: evaluation data is missing or malformed.
        """
        details, geometry = self._similarity(on_set, self._published(tasks))
        retrieval, reverse = self._retrieval(on_set) if "retrieval" in tasks else ({}, {})
        return Scores(
            sts={name: scores.all for name, scores in details.items()},
            retrieval=retrieval,
            image_to_text=reverse,
            details=details,
            geometry=geometry,
            transfer=self._transfer(on_set) if "transfer" in tasks else {},
        )

    def no_retrieval(self) -> str | None:
        """Why there can be no retrieval; None where there can."""
        if self._model.grounding is None or self._model.image is None:
            return "the model has no grounding and image heads"
        if self._own.retrieval is None and not (self._data / "flickr8k").is_dir():
            return f"there is no {self._data / 'flickr8k'}"
        wanted, found = self._model.image.dense.in_features, self._retrieval_set.features.shape[1]
        if wanted != found:
            return f"its image head takes features of width {wanted}, and those to search have {found}"
        return None

    def _published(self, tasks: Collection[Task]) -> list[Task]:
        """Of these tasks those that published data is read for; own pairs stand for data of another kind."""
        left_out = {"sts", "geometry"} if self._own.dev is not None else set()
        left_out |= {"retrieval"} if self._own.retrieval is not None else set()
        return [task for task in tasks if task not in left_out]

    @cached_property
    def _retrieval_set(self) -> RetrievalSet:
        return self._own.retrieval or read_flickr8k_test(self._data)

    @cached_property
    def _dev(self) -> _Dev:
        pairs = self._own.dev or read_set(STS_DEV, self._data)
        indexed = IndexedPairs.of(pairs)
        return _Dev(pairs, indexed, self._tokenize(indexed.sentences))

    def _tokenize(self, sentences: Sequence[str]) -> list[list[int]]:
        return [tokenized.ids for tokenized in self._tokenizer.encode(sentences)]

    def _encode_ids(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        was_training = self._model.training
        self._model.eval()
        vectors = encode_sorted(self._model.encoder, ids, self._tokenizer.pad_id)
        self._model.train(was_training)
        return vectors

    def _similarity(
        self, on_set: OnSet, tasks: Collection[Task]
    ) -> tuple[dict[str, SetScores], dict[str, SetGeometry]]:
        """STS and geometry from the same vectors; STS-B dev has geometry only."""
        details, geometry = {}, {}
        names = (*STS_SETS, STS_DEV) if "geometry" in tasks else STS_SETS if "sts" in tasks else ()
        for name in names:
            on_set(name)
            pairs = read_set(name, self._data)
            indexed = IndexedPairs.of(pairs)
            vectors = unit(self.encode(indexed.sentences))
            if "sts" in tasks and name != STS_DEV:
                details[name] = score_set(name, pairs, cosines(indexed, vectors))
            if "geometry" in tasks:
                geometry[name] = SetGeometry(
                    whole=whole_set(pairs, indexed, vectors), original=batch_means(name, pairs, indexed, vectors)
                )
        return details, geometry

    @torch.inference_mode()
    def _retrieval(self, on_set: OnSet) -> tuple[dict[str, float], dict[str, float]]:
        """Both directions; empty without heads or for other image features."""
        grounding, image = self._model.grounding, self._model.image
        if grounding is None or image is None or self.no_retrieval() is not None:
            return {}, {}
        on_set("retrieval")
        test = self._retrieval_set
        was_training = self._model.training
        vectors = torch.from_numpy(self.encode(test.captions))
        self._model.eval()
        device = next(grounding.parameters()).device
        sentences = grounding(vectors.to(device)).cpu().numpy()
        images = image(torch.from_numpy(test.features).to(device)).cpu().numpy()
        self._model.train(was_training)
        scores = sentences @ images.T
        return text_to_image(scores, test.image_of), image_to_text(scores, test.image_of)

    def _transfer(self, on_set: OnSet) -> dict[str, float]:
        from training.evaluation.transfer import score_task  # brings scikit-learn, which nothing else here needs

        scores: dict[str, float] = {}
        for name in TRANSFER_TASKS:
            on_set(name)
            scores |= score_task(name, self._data, self.encode)
        return scores
