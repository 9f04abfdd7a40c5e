from typing import Any

from training.card import model_card

CARD: dict[str, Any] = {
    "base_model": "tiny",
    "training": {
        "config": {
            "model": {"pooling": "mean"},
            "data": {"text": "t.txt", "captions": "flickr8k/c.txt", "features": None},
            "objective": {"framework": "mcse", "temperature": 0.05},
            "optimizer": {"head_learning_rate": None},
            "schedule": {"batch_size": 64},
            "evaluation": {"dev": None, "captions": None},
            "run": {"seed": 1},
        },
        "steps": 10,
        "kept_step": 5,
        "dev": 81.234,
    },
    "scores": {"sts": {"STS12": 70.0, "STSB": 80.126}, "sts_average": 75.063, "retrieval": {"recall@1": 20.5}},
}


def test_every_measured_score_and_the_licence_of_the_captions_are_told() -> None:
    card = model_card(CARD)
    for told in ("70.00", "80.13", "75.06", "20.50", "81.23", "seed 1", "non-commercial", "verbatim Flickr8k"):
        assert told in card
    assert "None" not in card


def test_scores_on_own_data_are_named_by_its_files() -> None:
    own = {"evaluation": {"dev": "own.tsv", "captions": "held-out.txt"}}
    training = {**CARD["training"], "config": {**CARD["training"]["config"], **own}}
    scores = {"sts": {}, "retrieval": {"recall@1": 20.5}}
    card = model_card({**CARD, "scores": scores, "training": training})
    assert "own.tsv 81.23" in card
    assert "`held-out.txt`" in card
    assert "Spearman" not in card


def test_a_model_without_images_or_flickr_tells_neither() -> None:
    scores = {**CARD["scores"], "retrieval": {}}
    training = {
        **CARD["training"],
        "config": {**CARD["training"]["config"], "data": {"text": "t", "captions": None, "features": None}},
    }
    card = model_card({**CARD, "scores": scores, "training": training})
    assert "retrieval" not in card
    assert "Flickr8k" not in card
