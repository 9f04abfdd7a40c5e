from pathlib import Path

import pytest

from training.config import parse_config
from training.data.captions import read_captions, read_ids
from training.evaluation.contamination import Overlap, evaluation_sentences, report, training_texts
from training.evaluation.sts import STS_SETS


def write_pairs(data: Path, *pairs: tuple[str, str]) -> None:
    """STS-B test of these pairs."""
    lines = [f"main-captions\tf\ty\t{number}\t3.0\t{a}\t{b}\n" for number, (a, b) in enumerate(pairs)]
    (data / "sts" / "STSBenchmark" / "sts-test.csv").write_text("".join(lines), encoding="utf-8")


def test_a_pair_is_counted_once_when_either_sentence_is_trained_on(world: Path) -> None:
    write_pairs(world, ("One here .", "Two there ."), ("One here .", "Three ."), ("Four .", "Five ."), ("?", "!"))
    found = report(["one HERE", "two, there!", "six", "..."], world)
    assert found["STSB"] == found["STSB/main-captions"] == Overlap(items=4, shared=2)
    assert found["STS12"] == Overlap(items=60, shared=0)
    assert set(found) >= {*STS_SETS, "STSB-dev"}


def test_tokenized_and_untokenized_forms_are_the_same_sentence(world: Path) -> None:
    write_pairs(world, ("The man 's dog ran .", "x y"))
    assert report(["The man's dog ran"], world)["STSB"].shared == 1


def test_transfer_tasks_are_looked_through_where_they_are(transfer: Path) -> None:
    found = report(["it is good", "what abbr 0", "film 1 is fine"], transfer)
    assert found["MRPC"] == Overlap(items=10, shared=4)
    assert found["TREC"] == Overlap(items=72, shared=1)
    assert found["MR"] == found["SST2"] == Overlap(items=48, shared=1)
    assert "Flickr8k test" not in found


def test_the_evaluation_sentences_are_those_of_sts_alone(world: Path) -> None:
    write_pairs(world, ("Quite new here .", "?"))
    sentences = evaluation_sentences(world)
    assert "quite new here" in sentences
    assert "" not in sentences
    assert "the man runs in the snow" not in sentences


def settings(**data: str) -> dict[str, dict[str, object]]:
    return {"model": {"base": "x"}, "data": dict(data)}


def test_the_training_texts_are_the_sentences_and_the_captions_of_the_run(world: Path) -> None:
    config = parse_config(
        {**settings(text="text.txt", captions="captions.txt"), "objective": {"framework": "simcse"}}, source="test"
    )
    texts = list(training_texts(config, world))
    assert "the man runs in the snow" in texts
    assert "a red dog" in texts
    assert len(texts) == len((world / "text.txt").read_text().splitlines()) + 50


def test_what_a_run_leaves_out_does_not_count(world: Path) -> None:
    tables = {**settings(captions="captions.txt"), "objective": {"framework": "simcse"}}
    with_overlap = list(training_texts(parse_config(tables, source="test"), world))
    without = list(training_texts(parse_config({**tables, "ablation": {"drop_overlap": True}}, source="test"), world))
    assert 0 < len(without) < len(with_overlap) == 50
    assert report(with_overlap, world)["STSB"].shared > 0
    assert report(without, world)["STSB"].shared == 0


def test_supervised_examples_are_training_texts(world: Path) -> None:
    (world / "nli.csv").write_text("sent0,sent1,hard_neg\na one,a two,a three\n")
    config = parse_config({**settings(supervised="nli.csv"), "objective": {"framework": "simcse"}}, source="test")
    assert list(training_texts(config, world)) == ["a one", "a two", "a three"]


@pytest.mark.data
def test_flickr8k_s_training_captions_are_found_in_every_set_they_came_from(data: Path) -> None:
    captions = read_captions(data / "flickr8k" / "Flickr8k.token.txt")
    trained = read_ids(data / "flickr8k" / "Flickr_8k.trainImages.txt")
    found = report((caption for name in trained for caption in captions[name]), data)
    shared = {name: overlap.shared for name, overlap in found.items() if "/" not in name}
    sts = {"STS12": 2, "STS13": 0, "STS14": 7, "STS15": 648, "STS16": 0, "STSB": 105, "SICKR": 238, "STSB-dev": 128}
    assert shared == {
        **sts,
        **dict.fromkeys(("MR", "CR", "SUBJ", "MPQA", "SST2", "TREC", "MRPC"), 0),
        "Flickr8k test": 62,
    }
    assert found["STS15/images"] == Overlap(items=750, shared=648)
    assert found["SICKR"].items == 4927
