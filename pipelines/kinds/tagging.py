"""Tags of a split: found by the model, beside the right ones, and which are taken for which."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.kinds import pictures
from pipelines.settings.schema import Experiment
from rnn_lightning.corpora.corpus import to_arrays
from rnn_lightning.corpora.lexicon import LEXICON, Lexicon
from rnn_lightning.data.pairs import PairModule, Pairs
from rnn_lightning.metrics import SpanScores
from rnn_lightning.systems.tagger import Tagger

TAGGED, CONFUSION, SPANS = "tagged.txt", "confusion.png", "spans.md"


def tag_sentences(system: Tagger, lexicon: Lexicon, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
    """The tags of sentences of words."""
    batch = Pairs(to_arrays(lexicon.encode(sentences)), len(sentences))[tuple(range(len(sentences)))]
    found = system.tag(batch.inputs, batch.lengths).tolist()
    return [[lexicon.tags[tag] for tag in row[: len(words)]] for row, words in zip(found, sentences, strict=True)]


def tag_split(system: Tagger, data: PairModule, split: str) -> list[list[int]]:
    """The tags of every row of a split, in its order."""
    dataset = data.dataset(split)
    found: list[list[int]] = [[] for _ in dataset.lengths]
    for rows in dataset.in_order():
        batch = system.transfer_batch_to_device(dataset[rows], system.device, 0)
        tags = system.tag(batch.inputs, batch.lengths).tolist()
        for row, some in zip(rows, tags, strict=True):
            found[row] = some[: dataset.lengths[row]]
    return found


def tag_test(experiment: Experiment, system: Tagger, data: PairModule, folder: Path) -> dict[str, float]:
    """Tag the test split; leaves in the run's ``folder`` the words with both tags, their confusion, and the lexicon.

    Where tags mark spans, a table of their scores by type is left too, of the test that ``system`` has just been through.
    """
    processed = experiment.processed()
    tags = Lexicon.read(processed / LEXICON).tags
    found = [tags[tag] for row in tag_split(system.eval(), data, "test") for tag in row]
    lines = (processed / "test.txt").read_text(encoding="utf-8").split("\n")[:-1]
    said = iter(found)
    shown = [f"{line}\t{next(said)}\n" if line else "\n" for line in lines]
    (folder / TAGGED).write_text("".join(shown), encoding="utf-8")
    right = [line.rpartition("\t")[2] for line in lines if line]
    pictures.confusion(count_confusion(right, found, tags), tags, folder / CONFUSION)
    shutil.copy(processed / LEXICON, folder)
    for spans in system.spans_of("test"):
        (folder / SPANS).write_text(span_table(spans.compute()), encoding="utf-8")
    return {}  # the system's own metrics say it all


def span_table(scores: SpanScores) -> str:
    """Scores of spans as Markdown, a row for each type and one for all."""
    rows = [*scores.by_type.items(), ("all", scores.overall)]
    lines = [f"| {kind} | {each.precision:.4f} | {each.recall:.4f} | {each.f1:.4f} | {each.gold} |" for kind, each in rows]
    return "\n".join(["| type | precision | recall | F1 | spans |", "|:--|--:|--:|--:|--:|", *lines, ""])


def count_confusion(right: Sequence[str], found: Sequence[str], tags: Sequence[str]) -> np.ndarray:
    """How often each tag (row) was taken for each (column): (L, L)."""
    places = {tag: place for place, tag in enumerate(tags)}
    counts = np.zeros((len(tags), len(tags)), dtype=np.int64)
    np.add.at(counts, ([places[tag] for tag in right], [places[tag] for tag in found]), 1)
    return counts
