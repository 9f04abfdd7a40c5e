from collections.abc import Callable
from statistics import fmean

import pytest

from training.config import TrainConfig, parse_config
from training.reports.paper import ROWS, PaperRow, nearest_row

PAPERS = {
    "model": {"base": "bert-base-uncased"},
    "data": {"text": "wiki1m_for_simcse.txt", "captions": "flickr30k/captions.txt", "features": "f.h5"},
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_adds_up_to_its_average(row: PaperRow) -> None:
    *sets, average = row.means
    assert len(sets) == 7
    assert fmean(sets) == pytest.approx(average, abs=0.051)


@pytest.mark.parametrize(
    ("base", "captions", "row"),
    [
        ("bert-base-uncased", "flickr30k/captions.txt", "MCSE-BERT, Wikipedia + Flickr30k"),
        ("FacebookAI/roberta-base", "flickr30k/captions.txt", "MCSE-RoBERTa, Wikipedia + Flickr30k"),
        ("google-bert/bert-base-uncased", "coco/captions.txt", "MCSE-BERT, Wikipedia + COCO"),
        ("roberta-base", "coco/captions.txt", "MCSE-RoBERTa, Wikipedia + COCO"),
    ],
)
def test_a_run_of_the_papers_setting_has_its_row(base: str, captions: str, row: str) -> None:
    tables = {"model": {"base": base}, "data": {**PAPERS["data"], "captions": captions}}
    found, differences = nearest_row(parse_config(tables, source="test").to_dict())
    assert (found.name, differences) == (row, [])


def test_another_run_has_the_nearest_row_and_is_told_what_differs(tiny_run: Callable[..., TrainConfig]) -> None:
    found, differences = nearest_row(tiny_run().to_dict())
    assert found.name == "MCSE-BERT, Wikipedia + Flickr30k"
    assert differences == [
        "model (tiny-bert, not bert-base-uncased)",
        "text (not the million sentences of Wikipedia)",
        "captions (not flickr30k)",
        "pooling (mean, not cls)",
        "length (stopped after 12 steps)",
    ]


@pytest.mark.parametrize(
    ("table", "settings", "told"),
    [
        ("objective", {"framework": "simcse"}, "framework"),
        ("ablation", {"images": "shuffled"}, "images"),
        ("ablation", {"pairs": 100}, "pairs"),
        ("ablation", {"drop_overlap": True}, "overlapping"),
    ],
)
def test_an_ablation_is_not_the_papers_row(table: str, settings: dict[str, object], told: str) -> None:
    tables = {**PAPERS, table: settings}
    row, differences = nearest_row(parse_config(tables, source="test").to_dict())
    assert row.name == "MCSE-BERT, Wikipedia + Flickr30k"
    assert [difference.split()[0] for difference in differences] == [told]


def test_flickr8k_and_parts_of_coco_are_not_taken_for_the_papers_data() -> None:
    for captions in ("flickr8k/Flickr8k.token.txt", "captions/coco-val2017/captions_val2017.json"):
        tables = {**PAPERS, "data": {**PAPERS["data"], "captions": captions}}
        differences = nearest_row(parse_config(tables, source="test").to_dict())[1]
        assert differences == ["captions (not flickr30k)"]
