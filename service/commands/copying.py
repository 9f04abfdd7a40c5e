"""Copy a collection page by page, so that a copy that was cut off goes on at the page it was in."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias, TypeVar

from service.commands.batches import Batch, Draft, PointId, draft_of, gathered
from service.commands.client import Client
from service.commands.describe import Service
from service.commands.pages import Page, pages
from service.commands.pipeline import WRITES_AT_ONCE, write_all
from service.commands.progress import Update
from service.commands.state import State
from service.commands.writer import Outcome, Writer

_EXAMPLES = 5

Point: TypeAlias = dict[str, Any]
Item = TypeVar("Item")


@dataclass(slots=True)
class Copied:
    """What has become of the points of all pages before `cursor`; a copy that was cut off knows this of itself."""

    cursor: str | None = None
    read: int = 0
    left_out: int = 0
    """Points that are not to be copied."""
    left_out_ids: list[PointId] = field(default_factory=list)
    """The first of them."""
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)
    """Why the first ones were rejected."""


@dataclass(frozen=True, slots=True)
class Route:
    """From where to where."""

    source: Client
    collection: str
    page: int
    """Most points of a page of the source."""
    with_vector: bool
    target_url: str
    target: str
    target_service: Service


def copy(route: Route, wanted: Callable[[Point], Point | None], state: State, copied: Copied, update: Update) -> Copied:
    """Write what `wanted` makes of each point, and leave out where it makes None. Goes on from `copied`.

    The state stays behind: its owner ends it once all is verified. Raises CommandError.
    """
    service = route.target_service
    with ExitStack() as opened:
        clients = [opened.enter_context(closing(Client(route.target_url))) for _ in range(WRITES_AT_ONCE)]
        writers = [Writer(client, route.target, "replace") for client in clients]
        found = pages(
            route.source,
            route.collection,
            limit=route.page,
            cursor=copied.cursor,
            with_vector=route.with_vector,
        )
        opened.enter_context(state.kept(lambda: asdict(copied)))
        done = copied
        for page in opened.enter_context(closing(one_ahead(found))):
            done = _copy_page(page, wanted, writers, service, copied)
            update(done.read, done.read)
            if page.next_cursor is not None:  # going on reads the last page again, and what came after it
                copied = done
                copied.cursor = page.next_cursor
                state.save(asdict(copied))
    return done


def _copy_page(
    page: Page,
    wanted: Callable[[Point], Point | None],
    writers: Sequence[Writer],
    service: Service,
    before: Copied,
) -> Copied:
    done = Copied(**asdict(before))
    done.read += len(page.points)
    drafts = []
    for number, point in enumerate(page.points):
        made = wanted(point)
        if made is None:
            done.left_out += 1
            done.left_out_ids += [point["id"]][: _EXAMPLES - len(done.left_out_ids)]
        else:
            drafts.append(draft_of(number, made))

    def acknowledged(_: Batch[None], outcome: Outcome) -> None:
        for number, reason in outcome.rejections:
            done.rejected += 1
            done.reasons += [f"{page.points[number]['id']}: {reason}"][: _EXAMPLES - len(done.reasons)]

    write_all(_batches(drafts, service), writers, acknowledged)
    return done


def _batches(drafts: Iterable[Draft], service: Service) -> Iterator[Batch[None]]:
    items = ((None, draft) for draft in drafts)
    return gathered(items, most_points=service.points, most_bytes=service.body_bytes)


def one_ahead(items: Iterator[Item]) -> Generator[Item]:
    """The same, with the next one being fetched on a thread while the last one is used."""
    with ThreadPoolExecutor(1, thread_name_prefix="read") as reader:
        ahead = reader.submit(next, items, None)
        while (item := ahead.result()) is not None:
            ahead = reader.submit(next, items, None)
            yield item
