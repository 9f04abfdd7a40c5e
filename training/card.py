"""The model card: what a bundle is, what it was trained on, and every score that was measured."""

from collections.abc import Mapping
from typing import Any

_FRONT_MATTER = """---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
language: en
tags: [sentence-similarity, feature-extraction, mcse]
---
"""


def model_card(card: Mapping[str, Any]) -> str:
    """Markdown for the bundle's README, made of the facts of `mcse.json`."""
    config, scores = card["training"]["config"], card["scores"]
    return "\n".join(
        [
            _FRONT_MATTER,
            f"# {config['objective']['framework'].upper()} sentence encoder",
            "",
            f"Sentence embeddings with {config['model']['pooling']} pooling, trained by mcse from "
            f"`{card['base_model']}`.",
            "",
            "## Scores",
            "",
            *_similarity(scores),
            *_retrieval(config, scores["retrieval"]),
            "## Training",
            "",
            *_training(card),
            "## Limits",
            "",
            *_limits(config),
        ]
    )


def _similarity(scores: Mapping[str, Any]) -> list[str]:
    if not scores["sts"]:
        return []
    told = "Spearman x 100 over all pairs of a set, cosine similarity."
    return [told, "", *_table({**scores["sts"], "average": scores["sts_average"]})]


def _retrieval(config: Mapping[str, Any], recalls: Mapping[str, float]) -> list[str]:
    if not recalls:
        return []
    own = config["evaluation"]["captions"]
    where = f"on `{own}`" if own else "on Flickr8k test (1,000 images, 5,000 captions)"
    return [f"Text-to-image retrieval {where}, in the grounded space:", "", *_table(recalls)]


def _table(values: Mapping[str, float]) -> list[str]:
    return [
        "| " + " | ".join(values) + " |",
        "| " + " | ".join("---" for _ in values) + " |",
        "| " + " | ".join(f"{value:.2f}" for value in values.values()) + " |",
        "",
    ]


def _training(card: Mapping[str, Any]) -> list[str]:
    training, data = card["training"], card["training"]["config"]["data"]
    dev = training["config"]["evaluation"]["dev"] or "STS-B dev"
    lines = [f"- Steps: {training['steps']}; exported: step {training['kept_step']} ({dev} {training['dev']:.2f})"]
    lines += [f"- {name.capitalize()}: `{data[name]}`" for name in ("text", "captions", "features") if data[name]]
    for table in ("objective", "optimizer", "schedule", "run"):
        settings = ", ".join(f"{key} {value}" for key, value in training["config"][table].items() if value is not None)
        lines.append(f"- {table.capitalize()}: {settings}")
    return [*lines, ""]


def _limits(config: Mapping[str, Any]) -> list[str]:
    lines = ["- English only; longer inputs than the token limit are cut.", ""]
    if "flickr" in str(config["data"]["captions"]).lower():
        lines = [
            "- Trained on Flickr8k captions, whose licence allows non-commercial research only; so does this model's.",
            "- Sentences of STS15-images are verbatim Flickr8k captions, and about 9 % of the sentences of STS-B and "
            "3.4 % of SICK-R are too. No gold score was seen, but scores on those sets are not out of domain.",
            *lines,
        ]
    return lines
