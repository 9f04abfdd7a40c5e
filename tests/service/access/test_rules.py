from itertools import product
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from service.access.keys import Role
from service.access.rules import RULES, Needed, allows, require_rules, rule_for
from service.app import create_app
from service.settings import Settings
from tests.service.conftest import StubCheckpoint, StubEncoder

ORDER: list[Needed] = ["open", "read", "write", "admin"]
FILLED = {"{name}": "pets", "{snapshot}": "s-1", "{point_id}": "a/b/points/delete", "{model}": "org/model"}


def filled(template: str) -> str:
    """A path that the template stands for."""
    for parameter, value in FILLED.items():
        template = template.replace(parameter, value)
    return template


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(Settings.model_construct(), checkpoint=StubCheckpoint(), runtime=StubEncoder())


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    """(method, template) of everything that the app answers."""
    found = set()
    for route in iter_route_contexts(app.router.routes):
        assert route.path_format is not None
        found |= {(method, route.path_format) for method in (route.methods or {"GET"}) - {"HEAD"}}
    return found


def test_every_route_has_a_role_and_no_role_is_for_a_route_that_is_gone(app: FastAPI) -> None:
    assert routes_of(app) == set(RULES)


def test_a_route_that_nobody_gave_a_role_does_not_start() -> None:
    with pytest.raises(ValueError, match="POST /new: no role is given"):
        require_rules([("GET", "/livez"), ("POST", "/new")])


@pytest.mark.parametrize(("method", "template"), sorted(RULES))
def test_a_request_meets_the_rule_of_the_route_that_answers_it(app: FastAPI, method: str, template: str) -> None:
    path = filled(template)
    answering = next(
        route.path_format
        for route in iter_route_contexts(app.router.routes)
        if (route.methods is None or method in route.methods) and route.path_regex.match(path)
    )
    assert answering == template
    rule = rule_for(method, path)
    assert rule is RULES[method, template]
    assert rule_for("HEAD", path) is rule if method == "GET" else True


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("POST", "/index\n", "write"),  # `$` in the router's patterns lets a line feed through
        ("PUT", "/collections/pets\n", "write"),
        ("DELETE", "/collections/pets\n", "admin"),
        ("PUT", "/collections/a b/snapshot", "admin"),
        ("POST", "/collections//points", None),
        ("POST", "//index", None),
        ("POST", "/INDEX", None),
        ("PATCH", "/index", None),
        ("GET", "/nothing", None),
        ("", "", None),
    ],
)
def test_odd_paths_meet_what_the_router_makes_of_them(method: str, path: str, needed: Needed | None) -> None:
    rule = rule_for(method, path)
    assert (rule.needed if rule else None) == needed


@pytest.mark.parametrize(
    ("role", "may"),
    [("read", {"open", "read"}), ("write", {"open", "read", "write"}), ("admin", {"open", "read", "write", "admin"})],
)
def test_a_role_may_do_what_is_below_it(role: Role, may: set[Needed]) -> None:
    assert {needed for needed in ORDER if allows(role, needed)} == may


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_the_quick_way_to_a_rule_finds_what_all_patterns_find(method: str) -> None:
    parts = [
        "collections",
        "pets",
        "points",
        "delete",
        "search",
        "snapshots",
        "snapshot",
        "docs",
        "v1",
        "models",
        "",
        "{name}",
    ]
    for length in range(1, 5):
        for chosen in product(parts, repeat=length):
            for path in ("/" + "/".join(chosen), "/" + "/".join(chosen) + "\n"):
                matching = [rule.needed for rule in RULES.values() if rule.matches(method, path)]
                found = rule_for(method, path)
                assert (found.needed if found else None) == max(matching, key=ORDER.index, default=None), path


def test_what_changes_data_is_what_asks_for_more_than_reading() -> None:
    changing = {(rule.method, rule.path) for rule in RULES.values() if rule.changes}
    assert ("POST", "/collections/{name}/points/delete") in changing
    assert ("DELETE", "/collections/{name}") in changing
    assert not changing & {("POST", "/collections/{name}/search"), ("GET", "/collections/{name}/snapshots")}
    assert not [rule for rule in RULES.values() if rule.method in ("PUT", "DELETE", "PATCH") and not rule.changes]


def test_the_name_in_a_path_is_that_of_the_collection_or_alias() -> None:
    assert RULES["PUT", "/collections/{name}/points"].name_in("/collections/pets/points") == "pets"
    assert RULES["PUT", "/aliases/{name}"].name_in("/aliases/now") == "now"
    assert RULES["POST", "/index"].name_in("/index") is None


def test_the_guide_says_what_each_role_may() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "deployment.md").read_text(encoding="utf-8")
    for role in ("read", "write", "admin"):
        assert f"| {role} |" in guide
