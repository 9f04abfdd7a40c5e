"""Copy a collection from one service to another, vectors and all, and prove that it is the same there."""

from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

from service.access.keys import SENT_KEY_OF_SOURCE
from service.commands.client import Client
from service.commands.comparing import Comparison, compare
from service.commands.copy_target import begin, refuse_rejected, require_source
from service.commands.copying import Copied, Point, Route, copy
from service.commands.describe import Service
from service.commands.errors import CommandError
from service.commands.pages import count_of
from service.commands.progress import bar
from service.commands.state import State


@dataclass(frozen=True, slots=True)
class Migration:
    """What is asked for."""

    source: str
    """Address of the service that has the collection."""
    target: str
    collection: str
    into: str | None
    """Its name there; None is the same."""


def migrate_collection(asked: Migration, *, resume: bool, state_path: Path | None) -> Comparison:
    """Copy, then compare; raises CommandError where the two are not the same."""
    with ExitStack() as opened:
        source = opened.enter_context(closing(Client(asked.source, key_in=SENT_KEY_OF_SOURCE)))
        target = opened.enter_context(closing(Client(asked.target)))
        ours, service = require_source(source, asked.collection), Service.of(target)
        if ours["model_fingerprint"] != service.fingerprint:
            raise CommandError(
                f"{target.url} runs another model ({service.fingerprint[:12]}) than made {ours['name']} "
                f"({ours['model_fingerprint'][:12]}). Run the same model there."
            )
        new = asked.into or ours["name"]
        task = {"from": asked.source, "to": asked.target, "collection": ours["name"], "into": new}
        state = State(state_path or Path(f"mcse-migrate-{new}.json"), task)
        copied = begin(target, service, new, ours, state, resume=resume)
        limits = Service.of(source)
        route = Route(source, ours["name"], limits.page, True, asked.target, new, service)
        with bar("copying", ours["count"]) as update:
            copied = copy(route, _whole, state, copied, update)
        refuse_rejected(copied, new)
        with bar("comparing", ours["count"]) as update:
            page = min(limits.page, service.points)
            found = compare((source, ours["name"]), (target, new), page=page, update=update)
        state.save_now(asdict(Copied()))  # where they differ, going on copies all of it again
        _require_same(found, count_of(target, new), new)
        state.remove()
        return found


def _whole(point: Point) -> Point | None:
    return {name: point[name] for name in ("id", "text", "metadata", "vector")}


def _require_same(found: Comparison, there: int, new: str) -> None:
    if found.missing or found.different:
        told = ", ".join(map(str, found.examples))
        raise CommandError(
            f"{found.missing:,} points are missing in {new} and {found.different:,} are different (ids {told}): the "
            "source was changed meanwhile. Go on with --resume."
        )
    if there != found.points:
        raise CommandError(
            f"{new} has {there:,} points, its source {found.points:,}: points were deleted at the source or written to "
            f"{new} meanwhile. Drop {new} and start anew."
        )
