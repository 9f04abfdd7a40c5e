import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models import Checkpoint, TextTokenizer, load
from models.text import Tokenized
from training.errors import DataError
from training.evaluation.aggregate import score_set
from training.evaluation.evaluator import TASKS, Evaluator, check_data
from training.evaluation.geometry import whole_set
from training.evaluation.sts import STS_DEV, STS_SETS, IndexedPairs, cosines, read_set, unit
from training.evaluation.tasks import TRANSFER_TASKS


class CountingTokenizer(TextTokenizer):
    """Remembers how many texts it was given."""

    asked = 0

    def encode(self, texts: "list[str]") -> "list[Tokenized]":  # type: ignore[override]
        self.asked += len(texts)
        return super().encode(texts)


@pytest.fixture
def checkpoint(tiny_bundle: Path) -> Checkpoint:
    return load(tiny_bundle)


@pytest.fixture
def evaluator(checkpoint: Checkpoint, world: Path) -> Evaluator:
    return Evaluator(checkpoint.model, checkpoint.tokenizer, world)


def write_flickr8k(data: Path, width: int) -> None:
    """Four test images with two captions each."""
    folder = data / "flickr8k"
    folder.mkdir()
    names = [f"{number}.jpg" for number in range(4)]
    captions = [f"{name}#{turn}\ta {word} dog" for name in names for turn, word in enumerate(("red", "big"))]
    (folder / "Flickr8k.token.txt").write_text("\n".join(captions) + "\n")
    (folder / "Flickr_8k.testImages.txt").write_text("\n".join(names) + "\n")
    features = np.random.default_rng(0).normal(size=(4, width)).astype(np.float16)
    np.savez(folder / "flickr8k_mobilenetv2_avgpool_f16.npz", image_ids=np.array(names), features=features)


def test_dev_scores_are_those_of_the_whole_dev_set(evaluator: Evaluator, world: Path) -> None:
    dev = evaluator.dev()
    pairs = read_set(STS_DEV, world)
    indexed = IndexedPairs.of(pairs)
    vectors = unit(evaluator.encode(indexed.sentences))
    geometry = whole_set(pairs, indexed, vectors)
    assert dev.spearman == pytest.approx(evaluator.sts(STS_DEV))
    assert (dev.alignment, dev.uniformity) == pytest.approx((geometry.alignment, geometry.uniformity))


def test_pitfall_11_dev_encodes_its_distinct_sentences_and_nothing_else(
    evaluator: Evaluator, checkpoint: Checkpoint, world: Path
) -> None:
    encoded = []
    checkpoint.model.encoder.register_forward_hook(lambda _module, _inputs, vectors: encoded.append(len(vectors)))
    evaluator.dev()
    assert sum(encoded) == len(IndexedPairs.of(read_set(STS_DEV, world)).sentences)


def test_pitfall_11_dev_is_read_and_tokenized_once_however_often_it_is_scored(tiny_bundle: Path, world: Path) -> None:
    opened = load(tiny_bundle)
    tokenizer = CountingTokenizer.from_directory(opened.path, max_tokens=20)
    assert isinstance(tokenizer, CountingTokenizer)
    evaluator = Evaluator(opened.model, tokenizer, world)
    first = evaluator.dev()
    asked = tokenizer.asked
    (world / "sts" / "STSBenchmark" / "sts-dev.csv").unlink()
    assert evaluator.dev() == first
    assert tokenizer.asked == asked > 0


def test_dev_follows_the_weights(evaluator: Evaluator, checkpoint: Checkpoint) -> None:
    before = evaluator.dev()
    with torch.no_grad():
        for parameter in checkpoint.model.encoder.parameters():
            parameter.mul_(1.5)
    assert evaluator.dev() != before


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_the_model_is_put_back(evaluator: Evaluator, checkpoint: Checkpoint, *, training: bool) -> None:
    checkpoint.model.train(training)
    assert evaluator.dev() == evaluator.dev()  # without dropout
    evaluator.all()
    assert checkpoint.model.training is training


def test_every_score_of_a_set_comes_from_the_same_vectors(evaluator: Evaluator, world: Path) -> None:
    seen: list[str] = []
    scores = evaluator.all(seen.append)
    assert seen == [*STS_SETS, STS_DEV]
    assert list(scores.sts) == list(scores.details) == list(STS_SETS)
    assert list(scores.geometry) == [*STS_SETS, STS_DEV]
    pairs = read_set("STS15", world)
    indexed = IndexedPairs.of(pairs)
    vectors = unit(evaluator.encode(indexed.sentences))
    assert scores.details["STS15"].all == pytest.approx(score_set("STS15", pairs, cosines(indexed, vectors)).all)
    assert scores.sts["STS15"] == scores.details["STS15"].all == pytest.approx(evaluator.sts("STS15"))
    assert scores.geometry["STS15"].whole.alignment == pytest.approx(whole_set(pairs, indexed, vectors).alignment)
    assert scores.retrieval == scores.image_to_text == scores.transfer == {}


def test_only_what_is_asked_for_is_scored(evaluator: Evaluator) -> None:
    sts = evaluator.all(tasks=["sts"])
    assert (list(sts.sts), sts.geometry) == (list(STS_SETS), {})
    geometry = evaluator.all(tasks=["geometry"])
    assert (geometry.sts, len(geometry.geometry)) == ({}, 8)


def test_retrieval_goes_in_both_directions(evaluator: Evaluator, world: Path) -> None:
    assert evaluator.no_retrieval() == f"there is no {world / 'flickr8k'}"
    write_flickr8k(world, width=12)
    assert evaluator.no_retrieval() is None
    scores = evaluator.all(tasks=["retrieval"])
    assert set(scores.retrieval) == set(scores.image_to_text) == {"recall@1", "recall@5", "recall@10", "median_rank"}
    assert scores.retrieval["recall@5"] == 100  # there are four images


def test_without_heads_or_with_other_features_there_is_no_retrieval(
    tiny_base: Path, evaluator: Evaluator, world: Path
) -> None:
    write_flickr8k(world, width=5)
    told = evaluator.no_retrieval()
    assert told is not None
    assert re.fullmatch("its image head takes features of width 12, and those .* have 5", told)
    plain = load(tiny_base)
    headless = Evaluator(plain.model, plain.tokenizer, world)
    assert headless.no_retrieval() == "the model has no grounding and image heads"
    for each in (evaluator, headless):
        assert each.all(tasks=["retrieval"]).retrieval == {}


def test_transfer_encodes_with_the_model(transfer: Path, checkpoint: Checkpoint) -> None:
    seen: list[str] = []
    evaluator = Evaluator(checkpoint.model, checkpoint.tokenizer, transfer)
    scores = evaluator.all(seen.append, tasks=["transfer"])
    assert seen == list(TRANSFER_TASKS)
    assert list(scores.transfer) == [*TRANSFER_TASKS, "MRPC-F1"]
    assert all(0 <= value <= 100 for value in scores.transfer.values())
    assert scores.transfer["TREC"] > 100 / 6  # better than chance, also with random weights
    check_data(transfer, TASKS)


def test_missing_data_is_told_for_what_is_asked_before_any_work(world: Path) -> None:
    check_data(world)
    with pytest.raises(DataError, match="no transfer tasks there"):
        check_data(world, TASKS)
    (world / "sts" / "SICK" / "SICK_test_annotated.txt").unlink()
    with pytest.raises(DataError, match=r"SICK_test_annotated\.txt: cannot be read"):
        check_data(world, ["geometry"])
    check_data(world, ["retrieval"])


def test_pitfall_18_without_transfer_scikit_learn_is_not_imported() -> None:
    code = "import sys, training.evaluation.evaluator; print('sklearn' in sys.modules, 'mteb' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_pitfall_18_sentences_of_any_length_stand_side_by_side(evaluator: Evaluator, world: Path) -> None:
    rows = [
        "g\tf\ty\t1\t5.0\ta dog\ta red dog in the snow with a ball",
        "g\tf\ty\t2\t1.0\ta\tthe cat sits",
        "g\tf\ty\t3\t3.0\tb\tc",
    ]
    (world / "sts" / "STSBenchmark" / "sts-test.csv").write_text("\n".join(rows) + "\n")
    assert -100 <= evaluator.sts("STSB") <= 100
