"""Text classification: short texts, a class each.

CLINC150 (Larson et al., "An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction", 2019,
arXiv:1909.02027).
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .card import CardFields
from .class_names import require_class
from .corpus import CorpusError, RawSplit
from .examples import read_splits, write_classes
from .parquet import Tables, TextColumns
from .reading import Examples, Raw, read_examples
from .reads import Column
from .source import FromSource
from .vocabulary import UNKNOWN_TOKEN, check_frequency, check_level, learn_sentence_tokenizer


@dataclass(kw_only=True, eq=False)
class LabelledText(FromSource):
    """A pairs corpus for text classification: the columns ``text`` and ``label``, a class.

    ``level``, ``vocabulary_size``, ``min_frequency`` and ``lowercase`` are those of `learn_sentence_tokenizer`, which learns
    from the training split. ``out_of_scope`` is the class of texts that belong to no other, whose accuracy is reported
    separately. A row without text or class is named and left out, up to the share ``most_left_out`` of its split. The other
    fields are those of `FromSource`.
    """

    text: str
    label: str
    level: str = "word"
    vocabulary_size: int | None = None
    min_frequency: int = 1
    lowercase: bool = True
    out_of_scope: str | None = None
    most_left_out: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        check_level(self.level, self.vocabulary_size)
        check_frequency(self.level, self.min_frequency)

    def columns(self) -> list[Column]:
        return [Column("text", self.text, "text"), Column("label", self.label, "class")]

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = self.verified(raw)
        texts = (text for (text,) in TextColumns(raw / "train.parquet", [self.text]))
        tokenizer = learn_sentence_tokenizer(
            texts, self.level, self.vocabulary_size, min_frequency=self.min_frequency, lowercase=self.lowercase
        )
        splits = read_splits(raw, partial(self.read, tokenizer, folder=processed.parent))
        if self.out_of_scope is not None and self.out_of_scope not in splits.classes:
            raise CorpusError(
                f"{self.origin}: out_of_scope must be one of its classes {splits.classes}, not {self.out_of_scope!r}"
            )
        fields = CardFields(
            title=f"{self.origin.title}, {self.label}",
            source=source,
            vocabulary_size=tokenizer.get_vocab_size(),
            unknown=tokenizer.token_to_id(UNKNOWN_TOKEN),
            more={**splits.card, "out_of_scope": self.out_of_scope},
        )
        write_classes(processed, splits.examples, splits.classes, fields, {"tokenizer.json": tokenizer.to_str(pretty=True)})

    def raw_split(self, path: Path) -> RawSplit:
        return RawSplit("classes", lambda tokenizer: self.read(tokenizer, path)[0])

    def read(self, tokenizer: Any, path: Path, folder: Path | None = None) -> tuple[Examples, list[str], list[str]]:
        """The examples of a Parquet file, in files of ``folder``, the places of rows left out, and the class names."""
        classes = self.classes_of(path)
        cells = zip(TextColumns(path, [self.text]), Tables(path, [self.label]).placed(self.label), strict=True)
        rows = (Raw(place, (text, classes.name(label))) for (text,), (place, (label,)) in cells)
        reader, most = partial(read_row, tokenizer), self.most_left_out
        examples, left_out = read_examples(rows, reader, most_left_out=most, workers=self.workers, folder=folder)
        return examples, left_out, classes.names

    def inputs(self) -> dict[str, Any]:
        return {"name": "text", "tokenizer": "tokenizer.json"}


def read_row(tokenizer: Any, text: str, name: str | None) -> tuple[NDArray[np.int32], str]:
    """The tokens (T,) of a row and its class.

    Raises:
        ValueError: where it has no text, or no class.
    """
    if not text.strip():
        raise ValueError("it has no text")
    return np.array(tokenizer.encode(text).ids, np.int32), require_class(name)
