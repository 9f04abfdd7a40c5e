"""Judgements: who is to be found, and how high up."""

from benchmarks.search.quality import Outcome, Scores, Texts, by_words, judged, report, split

CAPTIONS = {"a.jpg": ["a dog runs", "a dog", "the dog plays"], "b.jpg": ["a cat", "the cat sleeps"]}


def test_every_caption_is_a_query_or_a_point_and_keeps_its_image() -> None:
    queries, points = split(CAPTIONS)
    assert queries.subjects == [0, 1]
    assert points.subjects == [0, 0, 1]
    both = [*zip(queries.texts, queries.subjects, strict=True), *zip(points.texts, points.subjects, strict=True)]
    assert sorted(both) == sorted((text, number) for number, its in enumerate(CAPTIONS.values()) for text in its)
    assert split(CAPTIONS) == (queries, points)


def test_three_words_of_a_sentence_come_in_its_order() -> None:
    queries, points = by_words(["The river flows into the northern sea.", "It is so."])
    assert points.texts == ["The river flows into the northern sea.", "It is so."]
    assert queries.subjects == [0]
    words = queries.texts[0].split()
    assert len(words) == 3
    assert [points.texts[0].index(word) for word in words] == sorted(points.texts[0].index(word) for word in words)


def test_the_first_right_hit_counts() -> None:
    points = Texts(["x"] * 12, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    queries = Texts(["q"] * 4, [5, 1, 11, 99])
    ranked = [(number, 1.0) for number in range(12)]
    first = [(5, 2.0), *ranked]
    found = judged([first, ranked, ranked, ranked], queries, points)
    assert found == Scores(25.0, 50.0, 100 * (1 + 1 / 2) / 4)


def test_all_modes_and_fusions_are_told() -> None:
    some = Scores(40.0, 70.0, 50.0)
    outcome = Outcome(10, {(2, 0.0): some, (2, 0.3): some}, {"dense": some, "hybrid": some})
    modes, fusions = report({"set": outcome}, "some").tables
    assert [row[1] for row in modes.rows] == ["dense", "hybrid"]
    assert [row[1] for row in fusions.rows] == ["vectors alone", "K 2, weight 0.3"]
