import numpy as np

from models.vectorizer import Vectorizer
from service.commands.embedding.chunks import Chunk
from service.commands.embedding.job import Job
from service.commands.embedding.stages import Embedded, embedded, tokenized
from service.importing.records import Record, Rejection
from tests.service.commands.embedding.conftest import job_of

LONG = "dog " * 50


def chunk_of(*texts: str) -> Chunk:
    return Chunk(0, len(texts), len(texts), 0, [Record(n, None, text, None, None) for n, text in enumerate(texts, 1)])


def through(chunk: Chunk, job: Job, vectorizer: Vectorizer) -> Embedded:
    (found,) = embedded(tokenized([chunk], job, vectorizer), job, vectorizer)
    return found


def test_texts_become_vectors_with_what_was_cut_off(vectorizer: Vectorizer) -> None:
    job = job_of(prompt="the ")
    found = through(chunk_of("dog", LONG), job, vectorizer)
    expected = vectorizer.encode_tokens(vectorizer.tokenize(["the dog", "the " + LONG]), job.form)
    assert found.vectors is not None
    assert np.array_equal(found.vectors, expected)
    assert found.dropped == [0, 33]


def test_a_text_that_cannot_be_embedded_takes_no_other_with_it(vectorizer: Vectorizer) -> None:
    chunk = chunk_of("a dog", " ", "a cat", "\u200b")
    chunk.rejections.append(Rejection(3, "It came so."))
    found = through(chunk, job_of(), vectorizer)
    assert [record.text for record in found.chunk.records] == ["a dog", "a cat"]
    assert [line for line, _ in found.chunk.rejections] == [2, 3, 4]
    assert "no content" in found.chunk.rejections[0].reason
    assert found.vectors is not None
    assert len(found.vectors) == 2


def test_a_text_that_may_not_be_cut_is_rejected(vectorizer: Vectorizer) -> None:
    found = through(chunk_of(LONG, "a dog", ""), job_of(truncate=False), vectorizer)
    assert [line for line, _ in found.chunk.rejections] == [1, 3]
    assert found.chunk.rejections[0].reason == "The text has 52 tokens; the model takes 20."
    assert found.dropped == [0]


def test_where_nothing_is_left_nothing_is_encoded(vectorizer: Vectorizer) -> None:
    assert through(chunk_of("", " "), job_of(), vectorizer).vectors is None
    assert through(chunk_of(), job_of(), vectorizer).vectors is None
