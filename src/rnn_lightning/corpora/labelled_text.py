"""Short texts, a class each.

CLINC150 (Larson et al., "An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction", 2019,
arXiv:1909.02027).
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .card import CardFields
from .class_names import named, read_classes
from .corpus import CorpusError
from .examples import Examples, read_examples, read_splits, write_classes
from .files import verified_source
from .hub import FromHub
from .text import read_columns, read_table
from .vocabulary import UNKNOWN, check_frequency, check_level, learn_sentence_tokenizer


class LabelledText(FromHub):
    """A pairs corpus of the columns ``text`` and ``label``, a class.

    ``level``, ``vocabulary_size``, ``min_frequency`` and ``lowercase`` are those of `learn_sentence_tokenizer`, which learns
    from the training split. ``out_of_scope`` is the class of texts that belong to none, whose accuracy is told apart. A row
    without text or class is named and left out, up to the share ``most_left_out`` of its split. The rest are those of
    `HubSource`.
    """

    def __init__(
        self,
        *,
        text: str,
        label: str,
        level: str = "word",
        vocabulary_size: int | None = None,
        min_frequency: int = 1,
        lowercase: bool = True,
        out_of_scope: str | None = None,
        most_left_out: float = 0.01,
        **hub: Any,
    ) -> None:
        super().__init__(**hub)
        check_level(level, vocabulary_size)
        check_frequency(level, min_frequency)
        self.text, self.label, self.out_of_scope, self.most_left_out = text, label, out_of_scope, most_left_out
        self.learned = {"min_frequency": min_frequency, "lowercase": lowercase}
        self.level, self.vocabulary_size = level, vocabulary_size

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = verified_source(raw, self.hub.asked())
        train = read_columns(raw / "train.parquet", [self.text])[0]
        tokenizer = learn_sentence_tokenizer(train, self.level, self.vocabulary_size, **self.learned)
        splits = read_splits(raw, partial(self.read, tokenizer), None)
        if self.out_of_scope is not None and self.out_of_scope not in splits.classes:
            raise CorpusError(
                f"{self.hub}: out_of_scope must be one of its classes {splits.classes}, not {self.out_of_scope!r}"
            )
        facts = CardFields(
            title=f"{self.hub.repository} ({self.hub.config}), {self.label}",
            source=source,
            vocabulary_size=tokenizer.get_vocab_size(),
            unknown=tokenizer.token_to_id(UNKNOWN),
            more={**splits.card, "out_of_scope": self.out_of_scope},
        )
        write_classes(processed, splits.examples, splits.classes, facts, {"tokenizer.json": tokenizer.to_str(pretty=True)})

    def read(self, tokenizer: Any, path: Path) -> tuple[Examples, list[str], list[str]]:
        """The examples of a Parquet file, the places of those left out, and the names of their classes."""
        answers, names = read_classes(read_table(path, [self.label]), self.label, path)
        texts = read_columns(path, [self.text])[0]
        makers = (partial(example, tokenizer, *each) for each in zip(texts, answers, strict=True))
        rows = ((f"row {row} of {path}", make) for row, make in enumerate(makers))
        examples, refused = read_examples(rows, most_left_out=self.most_left_out)
        return examples, refused, names

    def inputs(self) -> dict[str, Any]:
        return {"name": "text", "tokenizer": "tokenizer.json"}


def example(tokenizer: Any, text: str, name: str | None) -> tuple[NDArray[np.int32], str]:
    """The tokens (T,) of a row and its class.

    Raises:
        ValueError: where it has no text, or no class.
    """
    if not text.strip():
        raise ValueError("it has no text")
    return np.array(tokenizer.encode(text).ids, np.int32), named(name)
