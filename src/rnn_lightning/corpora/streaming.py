"""A part of a data set on the Hub that is larger than the disk: rows of its stream, of which nothing else is kept."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .corpus import CorpusError


@dataclass(frozen=True)
class Streaming:
    """The first ``rows`` of each split, as many as it says, from a stream that is shuffled.

    Rows pass through a buffer of ``buffer`` rows, of which one is drawn at random by ``seed`` and replaced by the next; files
    come in random order too. A buffer of 1 leaves the order as it is, which running text needs unless each row is a text.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    buffer: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.rows or min(self.rows.values()) < 1:
            raise ValueError(f"streaming.rows must say how many rows of each split, such as {{train: 1000}}, not {self.rows}")
        if self.buffer < 1:
            raise ValueError(f"streaming.buffer must be at least 1 row, not {self.buffer}")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Streaming":
        """As ``settings`` say.

        Raises:
            ValueError: for a key that there is not, or without rows.
        """
        allowed = [each.name for each in fields(cls)]
        if unknown := sorted(settings.keys() - set(allowed)):
            raise ValueError(f"the keys of streaming must be of {', '.join(allowed)}, not {unknown[0]!r}")
        return cls(**{**settings, "rows": dict(settings.get("rows") or {})})

    def plain(self) -> dict[str, Any]:
        """The settings, as plain values."""
        return asdict(self)

    def drawn(self, streams: Mapping[str, Any], names: Mapping[str, str], cache: str) -> dict[str, Any]:
        """The splits (``datasets.Dataset`` in the folder ``cache``) from ``streams``, which call them by ``names``.

        Raises:
            CorpusError: for a split that is not there, or has no row.
        """
        drawn = {}
        for split, rows in self.rows.items():
            if (name := names.get(split, split)) not in streams:
                there = ", ".join(streams)
                raise CorpusError(f"streaming.rows: no split {name!r}; it has {there}, and no slices while it is streamed")
            drawn[split] = self._part(streams[name], rows, cache)
        return dict(sorted(drawn.items()))

    def _part(self, stream: Any, rows: int, cache: str) -> Any:
        from datasets import Dataset
        from datasets.exceptions import DatasetGenerationError

        if self.buffer > 1:
            stream = stream.shuffle(seed=self.seed, buffer_size=self.buffer)
        some = (stream if stream.features is None else stream.decode(False)).take(rows)

        def each() -> Iterator[dict[str, Any]]:
            yield from some

        try:
            return Dataset.from_generator(each, features=some.features, cache_dir=cache)
        except DatasetGenerationError as error:
            raise error.__cause__ or error from None
