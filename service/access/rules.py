"""Which role each route asks for; a role may do what is below it, too.

| role | may |
|---|---|
| `read` | embed, search, read points and descriptions, scrape `/metrics` |
| `write` | also make collections and change aliases, points and metadata |
| `admin` | also drop collections, and everything about snapshots |

What tells whether the service works, and its description, is `open`: it is answered without a key.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from starlette.routing import compile_path

from service.access.keys import Role

Needed = Literal["open", "read", "write", "admin"]

_RANKS: dict[Needed, int] = {"open": 0, "read": 1, "write": 2, "admin": 3}

_ROUTES: Mapping[Needed, tuple[str, ...]] = {
    "open": (
        "GET /",
        "GET /livez",
        "GET /readyz",
        "GET /startedz",
        "GET /health",
        "GET /ping",
        "GET /.well-known/live",
        "GET /.well-known/ready",
        "GET /docs",
        "GET /docs/openapi.json",
        "GET /docs/{name}",
        "GET /openapi.json",
    ),
    "read": (
        "GET /info",
        "GET /metrics",
        "POST /embed",
        "POST /similarity",
        "POST /search",
        "GET /collections",
        "GET /collections/{name}",
        "GET /collections/{name}/export",
        "GET /collections/{name}/points/{point_id:path}",
        "POST /collections/{name}/count",
        "POST /collections/{name}/duplicates",
        "POST /collections/{name}/points",
        "POST /collections/{name}/points/scroll",
        "POST /collections/{name}/search",
        "POST /collections/{name}/search/batch",
        "GET /aliases",
        "POST /",
        "POST /embed_all",
        "POST /embed_sparse",
        "POST /predict",
        "POST /rerank",
        "POST /tokenize",
        "POST /decode",
        "POST /v1/embeddings",
        "POST /embeddings",
        "GET /v1/models",
        "GET /models",
        "GET /v1/models/{model:path}",
        "GET /models/{model:path}",
        "POST /v2/embed",
        "POST /v1/embed",
        "POST /api/embed",
        "POST /api/embeddings",
        "GET /api/tags",
        "GET /api/version",
        "POST /vectors",
        "POST /vectors/",
        "GET /meta",
        "POST /qdrant/inference",
    ),
    "write": (
        "POST /index",
        "PUT /collections/{name}",
        "PUT /collections/{name}/points",
        "POST /collections/{name}/points/delete",
        "POST /collections/{name}/points/metadata",
        "POST /collections/{name}/points/metadata/delete",
        "POST /collections/{name}/import",
        "PUT /aliases/{name}",
        "DELETE /aliases/{name}",
    ),
    "admin": (
        "DELETE /collections/{name}",
        "GET /collections/{name}/snapshots",
        "POST /collections/{name}/snapshots",
        "GET /collections/{name}/snapshots/{snapshot}",
        "DELETE /collections/{name}/snapshots/{snapshot}",
        "POST /collections/{name}/snapshots/{snapshot}/restore",
        "PUT /collections/{name}/snapshot",
    ),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What one route asks for."""

    method: str
    path: str
    """Its template, such as `/collections/{name}`."""
    needed: Needed
    _pattern: re.Pattern[str] = field(repr=False)

    @property
    def changes(self) -> bool:
        """Whether it changes data."""
        return self.needed in ("write", "admin") and self.method != "GET"

    def matches(self, method: str, path: str) -> bool:
        """Whether the router has this route for the request."""
        return method == self.method and self._pattern.match(path) is not None

    def name_in(self, path: str) -> str | None:
        """The name of the collection or alias in a path that matches."""
        found = self._pattern.match(path)
        return found.groupdict().get("name") if found else None


def _read_table() -> Iterable[Rule]:
    for needed, routes in _ROUTES.items():
        for route in routes:
            method, path = route.split(" ")
            pattern, template, _ = compile_path(path)  # as the router does it, so that both find the same route
            yield Rule(method, template, needed, pattern)


RULES: Mapping[tuple[str, str], Rule] = {(rule.method, rule.path): rule for rule in _read_table()}


def rule_for(method: str, path: str) -> Rule | None:
    """The rule for a request, the strictest where several match; None where there is no such route."""
    if method == "HEAD":
        method = "GET"
    usual = RULES.get((method, _template(path)))
    if usual is not None:
        return usual
    # All patterns, because those of the router end in `$`, which lets a line feed through: `/index%0A` is `/index`.
    found = [rule for rule in RULES.values() if rule.matches(method, path)]
    return max(found, key=lambda rule: _RANKS[rule.needed], default=None)


def _template(path: str) -> str:
    """The path, with what is a collection's name as such: so that most routes are found without a pattern."""
    parts = path.split("/", 3)
    if len(parts) == 4 and parts[1] == "collections" and parts[2]:
        return f"/collections/{{name}}/{parts[3]}"
    return path


def allows(role: Role, needed: Needed) -> bool:
    """Whether a key of this role may do what asks for `needed`."""
    return _RANKS[role] >= _RANKS[needed]


def require_rules(routes: Iterable[tuple[str, str]]) -> None:
    """Raise ValueError for a route (method, template) that nobody has given a role; it would be open to every key."""
    missing = sorted(f"{method} {path}" for method, path in routes if (method, path) not in RULES)
    if missing:
        raise ValueError(f"{', '.join(missing)}: no role is given in service/access/roles.py")
