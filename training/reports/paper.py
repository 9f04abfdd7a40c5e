"""The rows of the paper's Table 1 that a run can be laid beside, and in what the run differs from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.evaluation.sts import STS_SETS

SOURCE = "MCSE (Zhang et al., NAACL 2022), Table 1: mean ± standard deviation over five seeds"


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One row of Table 1, Spearman x 100."""

    name: str
    base: str
    captions: str
    """Photographs and captions it was trained on, beside a million sentences of Wikipedia"""
    means: tuple[float, ...]
    """The seven sets in the order of `STS_SETS`, then the average"""
    deviations: tuple[float, ...]

    def cells(self) -> dict[str, str]:
        """Set or `average` to its printed score."""
        pairs = zip(self.means, self.deviations, strict=True)
        return dict(zip((*STS_SETS, "average"), (f"{m:.1f} ± {d:.1f}" for m, d in pairs), strict=True))


ROWS = (
    PaperRow(
        name="MCSE-BERT, Wikipedia + Flickr30k",
        base="bert-base-uncased",
        captions="flickr30k",
        means=(71.4, 81.8, 74.8, 83.6, 77.5, 79.5, 72.6, 77.3),
        deviations=(0.9, 1.3, 0.9, 0.9, 0.8, 0.5, 1.4, 0.5),
    ),
    PaperRow(
        name="MCSE-RoBERTa, Wikipedia + Flickr30k",
        base="roberta-base",
        captions="flickr30k",
        means=(71.7, 82.7, 75.9, 84.0, 81.3, 82.3, 70.3, 78.3),
        deviations=(0.2, 0.4, 0.3, 0.4, 0.3, 0.5, 1.3, 0.1),
    ),
    PaperRow(
        name="MCSE-BERT, Wikipedia + COCO",
        base="bert-base-uncased",
        captions="coco",
        means=(71.2, 79.7, 73.8, 83.0, 77.8, 78.5, 72.1, 76.6),
        deviations=(1.3, 0.9, 0.9, 0.4, 0.9, 0.4, 1.4, 0.5),
    ),
    PaperRow(
        name="MCSE-RoBERTa, Wikipedia + COCO",
        base="roberta-base",
        captions="coco",
        means=(70.2, 82.0, 75.5, 83.0, 81.5, 80.8, 69.9, 77.6),
        deviations=(1.7, 0.7, 1.2, 0.6, 0.7, 1.0, 0.6, 0.8),
    ),
)


def nearest_row(config: Mapping[str, Any]) -> tuple[PaperRow, list[str]]:
    """The row with the fewest differences from a run's settings, and these differences.

    Base and data are known by their names in the configuration: `bert-base-uncased`, `wiki1m...`, `flickr30k/`,
    `coco/`.
    """
    differences = [(row, _differences(row, config)) for row in ROWS]
    return min(differences, key=lambda found: len(found[1]))


def _differences(row: PaperRow, config: Mapping[str, Any]) -> list[str]:
    model, data = config.get("model", {}), config.get("data", {})
    ablation = config.get("ablation", {})
    base, text, captions = (Path(str(value)) for value in (model.get("base"), data.get("text"), data.get("captions")))
    framework = config.get("objective", {}).get("framework")
    max_steps = config.get("schedule", {}).get("max_steps")
    found = {
        f"model ({base.name}, not {row.base})": base.name != row.base,
        "text (not the million sentences of Wikipedia)": not text.name.startswith("wiki1m"),
        f"captions (not {row.captions})": captions.parent.name != row.captions,
        f"framework ({framework}, not mcse)": framework != "mcse",
        f"pooling ({model.get('pooling')}, not cls)": model.get("pooling") != "cls",
        f"images ({ablation.get('images')})": ablation.get("images", "true") != "true",
        f"pairs ({ablation.get('pairs')} only)": ablation.get("pairs") is not None,
        f"length (stopped after {max_steps} steps)": max_steps is not None,
        "overlapping captions left out": bool(ablation.get("drop_overlap")),
    }
    return [difference for difference, there in found.items() if there]
