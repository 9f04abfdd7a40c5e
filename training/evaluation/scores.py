"""What an evaluation found, and how it is written down."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

from training.evaluation.aggregate import SetScores
from training.evaluation.geometry import Geometry
from training.evaluation.tasks import TRANSFER_TASKS


@dataclass(frozen=True, slots=True)
class DevScores:
    """STS-B dev, which chooses checkpoints."""

    spearman: float
    """x 100"""
    alignment: float
    uniformity: float
    """Both over the whole set; see `training.evaluation.geometry`"""


@dataclass(frozen=True, slots=True)
class SetGeometry:
    """Alignment and uniformity of one set in both definitions."""

    whole: Geometry
    original: Geometry


@dataclass(frozen=True, slots=True)
class Scores:
    """Correlations, recalls and accuracies are x 100. What was not asked for, or cannot be had, is empty."""

    sts: Mapping[str, float]
    """Spearman per set, all its pairs together."""
    retrieval: Mapping[str, float] = field(default_factory=dict)
    """Text-to-image `recall@1`, `recall@5`, `recall@10` and `median_rank` on Flickr8k test."""
    image_to_text: Mapping[str, float] = field(default_factory=dict)
    """The same from image to caption."""
    details: Mapping[str, SetScores] = field(default_factory=dict)
    """Per STS set: subsets, other aggregations, without captions."""
    geometry: Mapping[str, SetGeometry] = field(default_factory=dict)
    """Per STS set and STS-B dev."""
    transfer: Mapping[str, float] = field(default_factory=dict)
    """Accuracy per task, and `MRPC-F1`."""

    @property
    def sts_average(self) -> float:
        """Plain mean of the seven sets.

        Raises:
            StatisticsError: STS was not asked for.
        """
        return fmean(self.sts.values())

    @property
    def transfer_average(self) -> float:
        """Plain mean of the seven accuracies.

        Raises:
            StatisticsError: transfer was not asked for.
        """
        return fmean(self.transfer[name] for name in TRANSFER_TASKS if name in self.transfer)

    @property
    def caption_free(self) -> dict[str, float]:
        """Spearman per set without its pairs of captions, and their average; SICK-R is all captions and left out."""
        return with_average({name: found.without_captions for name, found in self.details.items()})

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = {"sts": dict(self.sts), "retrieval": dict(self.retrieval)}
        if self.sts:
            found["sts_average"] = self.sts_average
        if self.image_to_text:
            found["image_to_text"] = dict(self.image_to_text)
        if self.details:
            found |= self._details()
        if self.geometry:
            found["geometry"] = {name: asdict(geometry) for name, geometry in self.geometry.items()}
        if self.transfer:
            found |= {"transfer": dict(self.transfer), "transfer_average": self.transfer_average}
        return found

    def _details(self) -> dict[str, Any]:
        return {
            "subsets": {name: dict(found.subsets) for name, found in self.details.items() if found.subsets},
            "aggregations": {
                "mean": with_average({name: found.mean for name, found in self.details.items()}),
                "wmean": with_average({name: found.wmean for name, found in self.details.items()}),
            },
            "without_captions": self.caption_free,
        }


def with_average(values: Mapping[str, float | None]) -> dict[str, float]:
    """The values that are there, and their plain mean as `average`."""
    there = {name: value for name, value in values.items() if value is not None}
    return {**there, "average": fmean(there.values())}
