"""Filters from JSON in Qdrant's shapes. Every refusal names its place, and never the caller's own text."""

from dataclasses import dataclass

from service.errors import InvalidInput
from service.search.filters import conditions
from service.search.filters.model import Condition, Filter, MatchText
from service.search.filters.refusal import a_list, an_object, is_integer, refuse

MOST_CONDITIONS = 256  # in all, filters in filters included
MOST_TEXTS = 16  # a match on text looks at the metadata of every point
MOST_NESTING = 8

CLAUSES = ("must", "should", "must_not", "min_should")
NO_FILTER = f"is a condition, not a filter; expected an object with {', '.join(CLAUSES)}, where conditions go"


def parse_filter(value: object, where: str = "filter") -> Filter:
    """The filter that `value` says; `{}` lets every point through.

    Raises InvalidInput, which names the place below `where`.
    """
    if isinstance(value, dict) and value.keys() & set(conditions.FIELDS):
        raise InvalidInput(f"{where} {NO_FILTER}.")
    return _Reader().filter(value, where)


@dataclass
class _Reader:
    """Reads one filter, and counts what is in it."""

    count: int = 0
    texts: int = 0
    nesting: int = 0

    def filter(self, value: object, where: str) -> Filter:
        fields = an_object(value, where, CLAUSES)
        self.nesting += 1
        if self.nesting > MOST_NESTING:
            raise InvalidInput(f"{where} is nested too deeply; expected at most {MOST_NESTING} filters in each other.")
        must, should, must_not = (self._clause(fields.get(name), f"{where}.{name}") for name in CLAUSES[:3])
        min_should = 1
        if "min_should" in fields:
            if "should" in fields:
                raise InvalidInput(
                    f"{where} has should and min_should; expected one of them, or one in a filter of its own."
                )
            should, min_should = self._min_should(fields["min_should"], f"{where}.min_should")
        self.nesting -= 1
        return Filter(must, should, must_not, min_should)

    def _min_should(self, value: object, where: str) -> tuple[tuple[Condition, ...], int]:
        fields = an_object(value, where, ("conditions", "min_count"))
        found = self._clause(fields.get("conditions"), f"{where}.conditions")
        least = fields.get("min_count")
        if not isinstance(least, int) or not is_integer(least):
            refuse(f"{where}.min_count", least, "an integer")
        if not 1 <= least <= len(found):
            raise InvalidInput(f"{where}.min_count is not between 1 and {len(found)}, the number of its conditions.")
        return found, least

    def _clause(self, value: object, where: str) -> tuple[Condition, ...]:
        if value is None:
            return ()
        if isinstance(value, dict):
            return (self._condition(value, where),)
        items = a_list(value, where, "conditions", MOST_CONDITIONS)
        return tuple(self._condition(item, f"{where}[{position}]") for position, item in enumerate(items))

    def _condition(self, value: object, where: str) -> Condition:
        self.count += 1
        if self.count > MOST_CONDITIONS:
            raise InvalidInput(f"{where} is one condition too many; expected at most {MOST_CONDITIONS} in all.")
        if isinstance(value, dict) and value.keys() <= set(CLAUSES):
            return self.filter(value, where)
        condition = conditions.parse_condition(value, where, CLAUSES)
        self.texts += isinstance(condition, MatchText)
        if self.texts > MOST_TEXTS:
            raise InvalidInput(f"{where} is one match on text too many; expected at most {MOST_TEXTS} in all.")
        return condition
