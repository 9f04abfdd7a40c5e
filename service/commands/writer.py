"""Write a batch: what the service refuses for one bad point is written without it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import orjson

from service.commands.batches import Draft, write_body
from service.commands.client import Client, collection_path
from service.commands.errors import Refused
from service.importing.records import Rejection

OnConflict: TypeAlias = Literal["replace", "skip", "error"]

_BAD_POINT = frozenset({400, 413, 422, 424})
_CONFLICT = 409
_THERE_ALREADY = "There is a point with this id already."
_PLACE = re.compile(r"points\[\d+\](\.|: ?)?| at position \d+", re.IGNORECASE)


@dataclass(slots=True)
class Outcome:
    """What has become of some points."""

    written: int = 0
    """Those of a new id and those that took the place of another one."""
    replaced: int = 0
    skipped: int = 0
    truncated: int = 0
    rejections: list[Rejection] = field(default_factory=list)

    def add(self, other: "Outcome") -> None:
        """Count what has become of some more."""
        self.written += other.written
        self.replaced += other.replaced
        self.skipped += other.skipped
        self.truncated += other.truncated
        self.rejections += other.rejections


class Writer:
    """Writes to one collection; belongs to the thread of its client.

    `own` says that points may be there already that this very run has written: one with the same text and metadata is
    then no conflict.
    """

    def __init__(self, client: Client, collection: str, on_conflict: OnConflict, *, own: bool = False) -> None:
        self.client = client
        self._path = collection_path(collection, "/points")
        self._on_conflict: OnConflict = on_conflict
        self._own = own

    def write(self, drafts: Sequence[Draft]) -> Outcome:
        """All of them are on disk, or among the rejections, when this returns. Raises Refused where the collection or
        the service is to blame, and Unreachable."""
        if self._on_conflict == "error":
            return self._write_new(drafts, own=self._own)
        return self._write(drafts)

    def _write_new(self, drafts: Sequence[Draft], *, own: bool) -> Outcome:
        """As `on_conflict: error` asks, but for each point and not for the whole write."""
        outcome, new = self._without_known(drafts, own=own)
        try:
            outcome.add(self._write(new))
        except Refused as refused:
            # Either somebody else was quicker, or it is our own write whose answer was lost.
            found, left = self._without_known(new, own=True)
            if refused.status != _CONFLICT or len(left) == len(new):
                raise
            outcome.add(found)
            outcome.add(self._write_new(left, own=True))
        return outcome

    def _without_known(self, drafts: Sequence[Draft], *, own: bool) -> tuple[Outcome, list[Draft]]:
        outcome = Outcome()
        asked = {"ids": [draft.id for draft in drafts], "with_text": own, "with_metadata": own}
        known = (
            {point["id"]: point for point in self.client.call("POST", self._path, asked)["points"]} if drafts else {}
        )
        for draft in drafts:
            if draft.id not in known:
                continue
            if own and _same(orjson.loads(draft.body), known[draft.id]):
                outcome.written += 1
            else:
                outcome.rejections.append(Rejection(draft.line, _THERE_ALREADY))
        return outcome, [draft for draft in drafts if draft.id not in known]

    def _write(self, drafts: Sequence[Draft]) -> Outcome:
        if not drafts:
            return Outcome()
        try:
            answer = self.client.call("PUT", self._path, write_body(drafts, self._on_conflict))
        except Refused as refused:
            if refused.status not in _BAD_POINT:
                raise
            if len(drafts) == 1:
                return Outcome(rejections=[Rejection(drafts[0].line, _of_one(refused.message))])
            half = len(drafts) // 2
            outcome = self._write(drafts[:half])
            outcome.add(self._write(drafts[half:]))
            return outcome
        return Outcome(answer["count"], answer["replaced"], answer.get("skipped", 0), answer.get("truncated", 0))


def _same(sent: dict[str, Any], stored: dict[str, Any]) -> bool:
    same: bool = sent.get("metadata", {}) == (stored["metadata"] or {}) and sent.get("text") == stored["text"]
    return same


def _of_one(message: str) -> str:
    """What was said of the only point of a write, without its place in it."""
    reason = _PLACE.sub("", message).strip()
    return reason[:1].upper() + reason[1:]
