"""Times in metadata and filters: RFC 3339 as text, seconds since 1970 as numbers."""

import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST = 48  # no text beyond it is looked at

FORM = re.compile(
    r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?P<zone> ?(?:[Zz]|[+-]\d\d:?\d\d))?)?", re.ASCII
)


def seconds(text: str) -> float | None:
    """Seconds since 1970 of a time or a date, or None if `text` is none.

    A date is its midnight, seconds may be left out, and a time without a zone is one of UTC. Kept to the microsecond.
    """
    if len(text) > LONGEST or not (found := FORM.fullmatch(text)):
        return None
    written = text.upper().replace(" Z", "Z").replace(" +", "+").replace(" -", "-")
    try:
        moment = datetime.fromisoformat(written)
        moment = moment.astimezone(UTC) if found["zone"] else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return (moment - EPOCH).total_seconds()


def written(moment: float) -> str:
    """The RFC 3339 time of so many seconds since 1970."""
    return (EPOCH + timedelta(seconds=moment)).isoformat().replace("+00:00", "Z")
