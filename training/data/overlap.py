"""What makes two texts the same sentence: contamination reports and `ablation.drop_overlap` compare by it."""

import re
import unicodedata

_APART = re.compile(r"[\W_]+")


def normalized(text: str) -> str:
    """Lower case, letters and digits only, single spaces, NFKC: tokenized text and its original become the same."""
    return _APART.sub(" ", unicodedata.normalize("NFKC", text).lower()).strip()
