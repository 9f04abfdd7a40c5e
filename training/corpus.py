"""The data of a run, opened, checked and tokenized."""

from dataclasses import dataclass
from pathlib import Path

from models.text import TextTokenizer
from training.config import DataConfig, ScheduleConfig, TrainConfig
from training.data.corpus import Batch, CaptionCorpus, TextCorpus
from training.data.pairs import ImageCaptions, open_pairs
from training.data.supervised import read_examples
from training.data.text import read_sentences
from training.data.tokens import Examples, cached_tokens
from training.evaluation.contamination import evaluation_sentences
from training.progress import Display
from training.schedule import BatchKind


@dataclass(frozen=True, slots=True)
class Corpus:
    """At least one of the two is there."""

    text: TextCorpus | None
    pairs: CaptionCorpus | None

    def batches(self, kind: BatchKind, schedule: ScheduleConfig) -> int:
        """Batches of a kind in one pass."""
        source = self.text if kind == "text" else self.pairs
        return source.batches(_size(kind, schedule)) if source is not None else 0

    def batch(self, kind: BatchKind, index: int, schedule: ScheduleConfig) -> Batch:
        """The index-th batch of a kind since the run began.

        Raises:
            ValueError: the run has no data of this kind.
        """
        source = self.text if kind == "text" else self.pairs
        if source is None:
            raise ValueError(f"this run has no {kind} batches")
        return source.batch(index, _size(kind, schedule))


def open_captions(config: TrainConfig, root: Path) -> ImageCaptions | None:
    """Captions and features; None where the run trains on text alone.

    Raises:
        DataError: they cannot be used; file, line and cure are told.
    """
    if config.data.captions is None:
        return None
    banned = evaluation_sentences(root) if config.ablation.drop_overlap else frozenset[str]()
    return open_pairs(
        config.data,
        config.ablation,
        root,
        seed=config.run.seed,
        with_images=config.objective.framework == "mcse",
        banned=banned,
    )


def open_corpus(
    config: TrainConfig,
    pairs: ImageCaptions | None,
    tokenizer: TextTokenizer,
    *,
    root: Path,
    cache: Path,
    display: Display,
) -> Corpus:
    """Tokenize all training data, the text into the cache.

    Raises:
        DataError: it cannot be used; file, line and cure are told.
    """
    seed = config.run.seed
    captions = None
    if pairs is not None:
        rotate = config.data.captions_per_image == "all"
        captions = CaptionCorpus.of(pairs, tokenizer, seed=seed, rotate=rotate, name=str(config.data.captions))
    return Corpus(text=_open_text(config.data, tokenizer, seed, root, cache, display), pairs=captions)


def _open_text(
    data: DataConfig, tokenizer: TextTokenizer, seed: int, root: Path, cache: Path, display: Display
) -> TextCorpus | None:
    name = data.supervised or data.text
    if name is None:
        return None
    path = root / name
    options = "supervised" if data.supervised is not None else f"text {data.text_column or ''}"

    def read() -> Examples:
        return read_examples(path) if data.supervised is not None else _single(path, data.text_column)

    with display.tokenizing(path.name) as advance:
        store = cached_tokens(read, tokenizer, source=path, options=options, cache=cache, on_progress=advance)
    return TextCorpus(store, seed)


def _single(path: Path, column: str | None) -> Examples:
    return ((number, (sentence,)) for number, sentence in read_sentences(path, column=column))


def _size(kind: BatchKind, schedule: ScheduleConfig) -> int:
    return schedule.batch_size if kind == "text" else schedule.pair_batch_size or schedule.batch_size
