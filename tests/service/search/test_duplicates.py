"""Pairs of a collection, as the HTTP interface tells them, against all pairs by brute force."""

from typing import Any

import httpx
import numpy as np
import pytest


def write(client: httpx.Client, points: list[dict[str, Any]], **about: Any) -> None:
    assert client.put("/collections/pets", json=about).status_code == 201
    for start in range(0, len(points), 100):
        answer = client.put("/collections/pets/points", json={"points": points[start : start + 100]})
        assert answer.status_code == 200, answer.text


def pages(client: httpx.Client, **body: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while not found or cursor is not None:
        answer = client.post("/collections/pets/duplicates", json={**body, "cursor": cursor})
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        cursor = found[-1]["next_cursor"]
    return found


def pairs(found: list[dict[str, Any]]) -> list[tuple[Any, Any]]:
    groups = (group for page in found for group in page["groups"])
    return [(group["id"], each["id"]) for group in groups for each in group["duplicates"]]


@pytest.mark.parametrize("limit", [7, 64])
def test_each_close_pair_is_told_once_on_whichever_pages_it_is(client: httpx.Client, limit: int) -> None:
    rng = np.random.default_rng(7)
    centres = rng.standard_normal((12, 16))
    vectors = (centres[rng.integers(0, 12, 60)] + 0.1 * rng.standard_normal((60, 16))).astype(np.float32)
    ids: list[str | int] = [n if n % 3 else f"p{n:02}" for n in rng.permutation(60).tolist()]
    write(client, [{"id": i, "vector": v.tolist()} for i, v in zip(ids, vectors, strict=True)])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    close = unit @ unit.T
    expected = {frozenset((ids[a], ids[b])) for a in range(60) for b in range(a) if close[a, b] >= 0.95}
    found = pages(client, limit=limit)
    told = pairs(found)
    assert len(found) == -(-60 // limit)
    assert len(told) == len(expected) > 50
    assert {frozenset(pair) for pair in told} == expected
    scores = [each["score"] for page in found for group in page["groups"] for each in group["duplicates"]]
    assert all(0.95 <= score <= 1.0001 for score in scores)


def test_a_pair_comes_with_its_texts_under_the_smaller_id(client: httpx.Client) -> None:
    write(client, [{"id": "b", "text": "a dog"}, {"id": 9, "text": "a dog"}, {"id": "a", "text": "a dog"}])
    (page,) = pages(client)
    assert sorted(pairs([page]), key=str) == [("a", "b"), (9, "a"), (9, "b")]
    group = next(group for group in page["groups"] if group["id"] == 9)
    assert (group["text"], group["more"]) == ("a dog", False)
    assert {each["text"] for each in group["duplicates"]} == {"a dog"}


def test_only_points_that_a_filter_lets_through_are_compared(client: httpx.Client) -> None:
    write(client, [{"id": n, "text": "a dog", "metadata": {"n": n}} for n in range(4)])
    assert pairs(pages(client, filter={"must": [{"key": "n", "range": {"gte": 2}}]})) == [(2, 3)]


def test_what_was_not_looked_at_is_said(client: httpx.Client) -> None:
    write(client, [{"id": n, "text": "a dog"} for n in range(15)])
    (page,) = pages(client, limit=128)  # leaves ten neighbours for each
    assert {group["more"] for group in page["groups"]} == {True}


def test_scores_without_bounds_need_a_threshold(client: httpx.Client) -> None:
    write(client, [{"id": n, "vector": [float(n)] * 16} for n in range(1, 4)], metric="dot")
    refused = client.post("/collections/pets/duplicates", json={})
    assert refused.status_code == 422
    assert "`threshold`" in refused.json()["error"]
    assert sorted(pairs(pages(client, threshold=90.0))) == [(2, 3)]


def test_an_empty_collection_has_no_pairs(client: httpx.Client) -> None:
    write(client, [])
    assert pages(client) == [{"groups": [], "next_cursor": None}]


@pytest.mark.parametrize("body", [{"limit": 0}, {"limit": 129}, {"threshold": "0.9"}, {"cursor": "canary-7f3a"}])
def test_a_page_that_cannot_be_is_refused(client: httpx.Client, body: dict[str, Any]) -> None:
    write(client, [{"id": 1, "text": "a"}])
    answer = client.post("/collections/pets/duplicates", json=body)
    assert answer.status_code == 422, answer.text
    assert "canary" not in answer.text
