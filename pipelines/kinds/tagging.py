"""Taggers in the pipeline: pretrained vectors before the training, tags found beside the right ones, confusion, spans."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines.kinds.base import CONFUSION, Kind, answer_split, count_confusion, real_rows
from pipelines.settings.schema import Experiment
from rnn_lightning import PairModule, Tagger
from rnn_lightning.corpora.lexicon import LEXICON, Lexicon
from rnn_lightning.corpora.tagged import VECTORS
from rnn_lightning.metrics import SpanScores

TAGGED, SPANS = "tagged.txt", "spans.md"


class TaggingKind(Kind[Tagger]):
    """A tag for each word."""

    predictor = "tagging"

    def prepare(self, experiment: Experiment, system: Tagger, data: PairModule) -> None:
        super().prepare(experiment, system, data)
        start_from_vectors(system, experiment.processed())

    def description(self, experiment: Experiment, card: dict[str, Any]) -> dict[str, Any]:
        return {"predictor": self.predictor, "files": [LEXICON], "lexicon": LEXICON}

    def test(self, experiment: Experiment, system: Tagger, data: PairModule, folder: Path) -> dict[str, float]:
        """Leaves the words with both tags and the confusion of these; where tags mark spans, a table of their scores by type,
        of the test that ``system`` has just been through."""
        from pipelines.kinds.pictures import confusion

        tags = Lexicon.read(experiment.processed() / LEXICON).tags
        found = [tags[tag] for row in tag_split(system.eval(), data, "test") for tag in row]
        lines = (experiment.processed() / "test.txt").read_text(encoding="utf-8").split("\n")[:-1]
        next_tag = iter(found)
        tagged = [f"{line}\t{next(next_tag)}\n" if line else "\n" for line in lines]
        (folder / TAGGED).write_text("".join(tagged), encoding="utf-8")
        right = [line.rpartition("\t")[2] for line in lines if line]
        confusion(count_confusion(right, found, tags), tags, folder / CONFUSION)
        for spans in system.spans_of("test"):
            (folder / SPANS).write_text(span_table(spans.compute()), encoding="utf-8")
        return {}  # the system's own metrics say it all


def start_from_vectors(system: Tagger, processed: Path) -> None:
    """Give the embedding the pretrained vectors of the corpus, where the task asks for some.

    Raises:
        ValueError: where only one of the two has vectors.
    """
    mode, file = system.hparams.get("vectors"), processed / VECTORS
    if mode is None and not file.exists():
        return
    if mode is None or not file.exists():
        have = "the corpus has" if mode is None else f"task.model.vectors is {mode!r}, but the corpus has no"
        raise ValueError(f"{have} pretrained vectors: set both task.corpus.vectors, a file, and task.model.vectors, or neither")
    with np.load(file, allow_pickle=False) as arrays:
        system.load_vectors(torch.from_numpy(arrays["matrix"]), torch.from_numpy(arrays["found"]))


def tag_split(system: Tagger, data: PairModule, split: str) -> list[list[int]]:
    """The tags of every row of a split, in its order."""
    return answer_split(system, data, split, lambda batch: real_rows(system.tag(batch.inputs, batch.lengths), batch))


def span_table(scores: SpanScores) -> str:
    """Scores of spans as Markdown, a row for each type and one for all."""
    rows = [*scores.by_type.items(), ("all", scores.overall)]
    lines = [f"| {kind} | {s.precision:.4f} | {s.recall:.4f} | {s.f1:.4f} | {s.gold} |" for kind, s in rows]
    return "\n".join(["| type | precision | recall | F1 | spans |", "|:--|--:|--:|--:|--:|", *lines, ""])
