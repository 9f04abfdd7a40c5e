"""Which evaluation sentences a model was trained on: the same letters and digits, whatever the case and punctuation."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.config import TrainConfig
from training.data.overlap import normalized
from training.data.pairs import open_pairs
from training.data.supervised import read_examples
from training.data.text import read_sentences
from training.evaluation.retrieval import read_flickr8k_test
from training.evaluation.sts import STS_DEV, STS_SETS, read_set
from training.evaluation.tasks import TRANSFER_TASKS, read_task

_Items = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of an evaluation set was seen in training."""

    items: int
    """Pairs of an STS set and of MRPC, else sentences"""
    shared: int
    """Items of which at least one sentence is a training text"""


def report(texts: Iterable[str], data: Path) -> dict[str, Overlap]:
    """Look for the sentences of every evaluation set among the training texts.

    Args:
        texts: everything a model is trained on; it is gone through once, and only its hits are kept.
        data: the folder of evaluation data.

    Returns:
        By set: the STS sets and STS-B dev, a subset as `STS15/images`; the transfer tasks (the test part, or the
        whole where there is none) and the captions of Flickr8k test where their folders are there.

    Raises:
        DataError: evaluation data is missing or malformed.
    """
    sets = {name: [tuple(map(normalized, item)) for item in items] for name, items in _evaluation_sets(data)}
    wanted = {sentence for items in sets.values() for item in items for sentence in item} - {""}
    seen = {text for text in map(normalized, texts) if text in wanted}
    return {
        name: Overlap(len(items), sum(any(sentence in seen for sentence in item) for item in items))
        for name, items in sets.items()
    }


def evaluation_sentences(data: Path) -> frozenset[str]:
    """Every sentence of the seven STS sets and STS-B dev, normalised: what a run without overlap leaves out.

    Raises:
        DataError: evaluation data is missing or malformed.
    """
    items = (item for name in (*STS_SETS, STS_DEV) for item in _sts_items(name, data)[name])
    return frozenset(normalized(sentence) for item in items for sentence in item) - {""}


def training_texts(config: TrainConfig, root: Path) -> Iterator[str]:
    """Every sentence and caption that a run may see.

    Raises:
        DataError: training data is missing or malformed.
    """
    data = config.data
    if data.supervised is not None:
        for _, example in read_examples(root / data.supervised):
            yield from example
    elif data.text is not None:
        for _, sentence in read_sentences(root / data.text, column=data.text_column):
            yield sentence
    if data.captions is not None:
        banned = evaluation_sentences(root) if config.ablation.drop_overlap else frozenset[str]()
        pairs = open_pairs(data, config.ablation, root, seed=config.run.seed, with_images=False, banned=banned)
        for captions in pairs.captions:
            yield from captions


def _evaluation_sets(data: Path) -> Iterator[tuple[str, _Items]]:
    for name in (*STS_SETS, STS_DEV):
        yield from _sts_items(name, data).items()
    if (data / "transfer").is_dir():
        for name in TRANSFER_TASKS:
            yield name, read_task(name, data)[-1].texts
    if (data / "flickr8k").is_dir():
        yield "Flickr8k test", [(caption,) for caption in read_flickr8k_test(data).captions]


def _sts_items(name: str, data: Path) -> Mapping[str, _Items]:
    """A set, then its subsets."""
    pairs = read_set(name, data)
    items: _Items = list(zip(pairs.first, pairs.second, strict=True))
    subsets = {f"{name}/{part}": [items[row] for row in rows] for part, rows in pairs.subsets.items()}
    return {name: items, **subsets}
