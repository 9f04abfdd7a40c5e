"""Sentences to measure with: drawn from a seed with lengths as in real text, or read from a file."""

import math
import random
from pathlib import Path

from models.errors import TextError

# Words that the vocabularies of English encoders hold whole, so that a word is about a token.
_WORDS = """
    the of and a to in is was for on with as by at from that it his are an be this which or had first not but have one
    also they new her who all two been other when time after there more some out up over can city into would only world
    year state people its year between under three during known many them these about made most no years used through
    school later part then game team family company national music united states because where such called found film
    area river south north book house life name world small large early group public system water country old white line
    season university won played became best end work home number second high main history population church station
    village island children women men law body light field road bridge army king head king play war story language law
    student teacher garden kitchen winter summer morning evening picture window paper letter money market price
    government president president party election minister member council science art museum theatre street town
""".split()  # noqa: SIM905

# Words a sentence: the logarithm is about normal in encyclopedias and news alike, with the middle at 18.
_MIDDLE_WORDS, _SPREAD = 18, 0.5
_FEWEST, _MOST = 3, 120


def draw_sentences(count: int, seed: int) -> list[str]:
    """So many sentences; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 (nothing secret)
    return [_sentence(chance) for _ in range(count)]


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that hold something.

    Raises:
        TextError: the file is not UTF-8, or holds no sentence.
        FileNotFoundError: there is no such file.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise TextError(0, f"{path}: not UTF-8. Convert the file first.") from error
    found = [line for line in lines if line]
    if not found:
        raise TextError(0, f"{path}: no sentences in it. Give a text file with a sentence a line.")
    return found


def _sentence(chance: random.Random) -> str:
    words = round(chance.lognormvariate(math.log(_MIDDLE_WORDS), _SPREAD))
    drawn = chance.choices(_WORDS, k=min(_MOST, max(_FEWEST, words)))
    return f"{' '.join(drawn).capitalize()}."
