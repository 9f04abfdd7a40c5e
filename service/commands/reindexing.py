"""Make a collection anew with the running model, from its texts, and let its alias stand for the new one."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from service.commands.client import Client
from service.commands.copy_target import begin, refuse_rejected, require_source
from service.commands.copying import Copied, Point, Route, copy
from service.commands.describe import Service
from service.commands.errors import CommandError
from service.commands.pages import count_of
from service.commands.progress import bar
from service.commands.state import State


@dataclass(frozen=True, slots=True)
class Reindexing:
    """What is asked for."""

    url: str
    collection: str
    """Its name or alias."""
    into: str | None
    """The new collection's name; None makes one of the old name and the model."""
    alias: str | None
    """What is to stand for the new one; None is the alias that `collection` is, if it is one."""
    drop_without_text: bool


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What was done."""

    old: str
    new: str
    count: int
    """Points of the new one."""
    dropped: int
    """Points of the old one that have no text."""
    alias: str | None
    """What stands for the new one now."""


def reindex_collection(asked: Reindexing, *, resume: bool, state_path: Path | None) -> Reindexed | None:
    """None where the collection is of the running model already.

    Raises CommandError. The alias is only switched where all that should be in the new collection is in it.
    """
    with closing(Client(asked.url)) as client:
        service = Service.of(client)
        old = require_source(client, asked.collection)
        if old["model_fingerprint"] == service.fingerprint:
            return None
        new = asked.into or f"{old['name']}-{service.fingerprint[:8]}"
        task = {"url": asked.url, "collection": old["name"], "into": new}
        state = State(state_path or Path(f"mcse-reindex-{new}.json"), task)
        copied = begin(client, service, new, old, state, resume=resume)
        route = Route(client, old["name"], service.page, False, asked.url, new, service)
        with bar("embedding", old["count"]) as update:
            copied = copy(route, _without_vector, state, copied, update)
        count = _verified(client, old["name"], new, copied, drop_without_text=asked.drop_without_text)
        alias = asked.alias or (asked.collection if asked.collection != old["name"] else None)
        if alias is not None:
            client.call("PUT", f"/aliases/{quote(alias, safe='')}", {"collection": new})
        state.remove()
        return Reindexed(old["name"], new, count, copied.left_out, alias)


def _without_vector(point: Point) -> Point | None:
    if point["text"] is None:
        return None
    return {"id": point["id"], "text": point["text"], "metadata": point["metadata"]}


def _verified(client: Client, old: str, new: str, copied: Copied, *, drop_without_text: bool) -> int:
    """The number of points in the new collection, which is what it must be."""
    refuse_rejected(copied, new)
    if copied.left_out and not drop_without_text:
        told = ", ".join(map(str, copied.left_out_ids))
        raise CommandError(
            f"{copied.left_out:,} points of {old} have no text to embed (ids {told}{' ...' * (copied.left_out > 5)}); "
            f"{new} has all the others. Go on without them: --resume --drop-without-text."
        )
    there, expected = count_of(client, new), count_of(client, old) - copied.left_out
    if there != expected:
        raise CommandError(
            f"{new} has {there:,} points and should have {expected:,}: {old} was changed meanwhile. Go on with "
            f"--resume; if points were deleted, drop {new} and start anew."
        )
    return there
