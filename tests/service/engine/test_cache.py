import tracemalloc

import numpy as np

from service.engine.cache import ENTRY_BYTES, MEGABYTE, Row, VectorCache
from service.telemetry.metrics import Metrics


def row(seed: int, width: int = 384) -> Row:
    return Row(np.random.default_rng(seed).normal(size=width).astype(np.float32), tokens=seed % 30, dropped=0)


def test_a_row_comes_back_as_it_was_kept() -> None:
    cache, kept = VectorCache(1, Metrics()), row(1)
    (key,) = cache.keys(["a dog"], "sentence")
    assert cache.get([key]) == [None]
    cache.put(key, kept)
    (found,) = cache.get([key])
    assert found is not None
    np.testing.assert_array_equal(found.vector, kept.vector)
    assert found[1:] == kept[1:]


def test_spaces_and_texts_never_share_a_key() -> None:
    cache = VectorCache(1, Metrics())
    texts = ["a", "A", "a ", "", "\x00", "sentence", "é", "e\u0301"]
    keys = [*cache.keys(texts, "sentence"), *cache.keys(texts, "grounded")]
    assert len(set(keys)) == 2 * len(texts)


def test_the_end_that_is_cut_and_token_ids_are_part_of_the_key() -> None:
    cache = VectorCache(1, Metrics())
    texts: list[str | list[int]] = ["[1, 2]", [1, 2], [1, 3], [2**70]]
    keys = [*cache.keys(texts, "sentence"), *cache.keys(texts, "sentence", "left")]
    assert len(set(keys)) == 2 * len(texts)
    assert cache.keys([[1, 2]], "sentence") == cache.keys([[1, 2]], "sentence", "right")


def test_a_row_of_a_batch_is_copied_so_that_the_batch_can_go() -> None:
    cache, batch = VectorCache(1, Metrics()), np.ones((1000, 384), np.float32)
    (key,) = cache.keys(["a"], "sentence")
    cache.put(key, Row(batch[0], 3, 0))
    (found,) = cache.get([key])
    assert found is not None
    assert found.vector.base is None


def test_memory_stays_under_the_bound_and_the_least_used_goes() -> None:
    metrics = Metrics()
    cache = VectorCache(1, metrics)
    fits = MEGABYTE // (384 * 4 + ENTRY_BYTES)
    keys = cache.keys([str(number) for number in range(fits + 10)], "sentence")
    for number, key in enumerate(keys[:fits]):
        cache.put(key, row(number))
    cache.get(keys[:1])  # used again, so it stays
    for number, key in enumerate(keys[fits:], start=fits):
        cache.put(key, row(number))
    known = [each is not None for each in cache.get(keys)]
    assert known == [True, *[False] * 10, *[True] * (fits - 1)]
    assert cache.bytes <= MEGABYTE
    assert b"mcse_vector_cache_evictions_total 10.0" in metrics.render()


def test_an_entry_takes_no_more_memory_than_is_counted() -> None:
    cache = VectorCache(8, Metrics())
    rows = [row(number) for number in range(2000)]
    tracemalloc.start()
    try:
        for key, each in zip(cache.keys([str(number) for number in range(2000)], "sentence"), rows, strict=True):
            cache.put(key, each)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.7 * cache.bytes < taken <= cache.bytes


def test_without_room_there_are_no_keys_and_a_row_beyond_the_room_is_not_kept() -> None:
    assert VectorCache(0, Metrics()).keys(["a"], "sentence") == []
    cache = VectorCache(1, Metrics())
    (key,) = cache.keys(["a"], "sentence")
    cache.put(key, row(0, width=MEGABYTE))
    assert cache.get([key]) == [None]
