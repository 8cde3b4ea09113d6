"""What /metrics says, as numbers."""

import urllib.request
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families


class Samples(NamedTuple):
    """The samples of one scrape."""

    values: dict[tuple[str, frozenset[tuple[str, str]]], float]

    @classmethod
    def of(cls, text: str) -> "Samples":
        families = text_string_to_metric_families(text)
        return cls({(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples})

    @classmethod
    def scraped(cls, url: str) -> "Samples":
        with urllib.request.urlopen(url, timeout=30) as answer:
            return cls.of(answer.read().decode())

    def get(self, name: str, **labels: str) -> float:
        """One value; 0 for a series that is not there."""
        return self.values.get((f"enroll_{name}", frozenset(labels.items())), 0.0)

    def has(self, name: str, **labels: str) -> bool:
        return (f"enroll_{name}", frozenset(labels.items())) in self.values

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.values}
