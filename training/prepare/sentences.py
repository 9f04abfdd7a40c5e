"""Raw lines of text into clean sentences, with a count of what was dropped and why."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

_MARKUP = re.compile(r"</?doc\b[^>]*>")  # the frame that WikiExtractor puts around each article
_END = re.compile(r"""[.!?]+["'”’)\]]*\s+(?=["'“‘(\[]*[^\W_a-z])""")
_ABBREVIATION = re.compile(
    r"""(?:^|[\s("'“‘\[])
        (?:[^\W\d_] | [A-Za-z]\.[A-Za-z] | Mr | Mrs | Ms | Dr | Prof | St | Mt | Jr | Sr | Gen | Col | Capt | Lt | Sgt
        | Rev | Hon | Sen | Rep | Gov | No | Nos | vs | cf | ca | al | approx | Fig | Vol | pp | Ed | Eds | Inc | Ltd
        | Co | Corp | Bros | Ave | Jan | Feb | Mar | Apr | Jun | Jul | Aug | Sep | Sept | Oct | Nov | Dec)$""",
    re.VERBOSE,
)


@dataclass(slots=True)
class Cleaner:
    """Trims, collapses white space and drops what is no sentence to train on. Counts as it goes."""

    min_words: int
    max_words: int
    documents: bool
    """Each line holds several sentences: split it."""
    deduplicate: bool
    """Keep the first of equal sentences. It remembers some 80 bytes of each."""
    dropped: Counter[str] = field(default_factory=Counter)
    _seen: set[bytes] = field(default_factory=set)

    def sentences(self, line: str) -> Iterator[str]:
        """The sentences of a line that are kept, without line ends in them."""
        text = " ".join(line.split())
        if not text:
            self.dropped["empty"] += 1
        elif _MARKUP.fullmatch(text):
            self.dropped["markup"] += 1
        else:
            for sentence in split_sentences(text) if self.documents else (text,):
                if (reason := self._reason(sentence)) is None:
                    yield sentence
                else:
                    self.dropped[reason] += 1

    def _reason(self, sentence: str) -> str | None:
        words = sentence.count(" ") + 1
        if words < self.min_words:
            return f"fewer than {self.min_words} words"
        if words > self.max_words:
            return f"more than {self.max_words} words"
        if not any(map(str.isalnum, sentence)):
            return "no letters or digits"
        return "repeated" if self.deduplicate and self._is_repeated(sentence) else None

    def _is_repeated(self, sentence: str) -> bool:
        digest = hashlib.blake2b(sentence.encode(), digest_size=12).digest()
        if digest in self._seen:
            return True
        self._seen.add(digest)
        return False


def split_sentences(text: str) -> Iterator[str]:
    """Cut after `.`, `!` or `?` before a capital or a digit, but not after initials and common abbreviations."""
    start = 0
    for end in _END.finditer(text):
        before = text[start : end.start()]
        if end.group().startswith(".") and _ABBREVIATION.search(before):
            continue
        yield text[start : end.end()].rstrip()
        start = end.end()
    yield text[start:]
