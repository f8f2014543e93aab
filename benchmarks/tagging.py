"""Tagging speed of a stored run: words a second over its test split, by number of threads, and a sentence of 5,000 words.

python -m benchmarks.tagging task=ewt rnn=bilstm seed=1      writes benchmarks/tagging.json
"""

import sys
from pathlib import Path

import torch

from benchmarks.timing import seconds
from pipelines.kinds.tagging import tag_split
from pipelines.runs.provenance import commit, hardware
from pipelines.settings.compose import compose, exit_on_user_error
from pipelines.settings.schema import Experiment
from rnn_lightning import Tagger
from rnn_lightning.corpora.lexicon import LEXICON, Lexicon
from rnn_lightning.files import write_json
from rnn_lightning.predictors import TaggingPredictor

THREADS, MAX_STARTS, LONG = (1, 2), 3, 5000


def measure(experiment: Experiment, seed: int) -> list[dict[str, float]]:
    """The speed of one seed's run by number of threads."""
    processed = experiment.processed()
    data = experiment.task.data.build(folder=processed)
    system = Tagger.load_from_checkpoint(experiment.run(seed) / "model.ckpt", map_location="cpu", weights_only=True).eval()
    lexicon = Lexicon.read(processed / LEXICON)
    tagger = TaggingPredictor(system, lexicon)
    words = int(data.dataset("test").lengths.sum())
    sentence = [lexicon.words[index % len(lexicon.words)] for index in range(LONG)]
    rows: list[dict[str, float]] = []
    for threads in THREADS:
        torch.set_num_threads(threads)
        split = min(seconds(lambda: tag_split(system, data, "test")) for _ in range(MAX_STARTS))
        long = min(seconds(lambda: tagger([sentence])) for _ in range(MAX_STARTS))
        rows.append({"threads": threads, "words_per_second": words / split, f"seconds_for_{LONG}_words": long})
        print(f"{threads} threads: {words / split:,.0f} words/s; one sentence of {LONG:,} words in {long:.2f} s")
    return rows


def main(arguments: list[str]) -> None:
    experiment = compose(arguments)
    (seed,) = experiment.all_seeds()
    results = {"run": str(experiment.run(seed)), "rows": measure(experiment, seed)}
    write_json(Path(__file__).with_suffix(".json"), results | {"hardware": hardware("cpu"), "commit": commit()})


if __name__ == "__main__":
    exit_on_user_error(lambda: main(sys.argv[1:]))
