"""How fast a stored run tags: words a second over its test split, by number of threads, and a sentence of 5,000 words.

python -m benchmarks.tagging task=ewt rnn=bilstm seed=1      writes benchmarks/tagging.json
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

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
    processed = experiment.processed()
    data = experiment.task.data.build(folder=processed)
    system = Tagger.load_from_checkpoint(experiment.run(seed) / "model.ckpt", map_location="cpu", weights_only=True).eval()
    lexicon = Lexicon.read(processed / LEXICON)
    tagger = TaggingPredictor(system, lexicon)
    words = int(data.dataset("test").lengths.sum())
    sentence = [lexicon.words[place % len(lexicon.words)] for place in range(LONG)]
    rows: list[dict[str, float]] = []
    for threads in THREADS:
        torch.set_num_threads(threads)
        split = min(seconds(lambda: tag_split(system, data, "test")) for _ in range(MAX_STARTS))
        long = min(seconds(lambda: tagger([sentence])) for _ in range(MAX_STARTS))
        rows.append({"threads": threads, "words_per_second": words / split, f"seconds_for_{LONG}_words": long})
        print(f"{threads} threads: {words / split:,.0f} words/s; one sentence of {LONG:,} words in {long:.2f} s")
    return rows


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def main(arguments: list[str]) -> None:
    experiment = compose(arguments)
    (seed,) = experiment.all_seeds()
    facts = {"run": str(experiment.run(seed)), "rows": measure(experiment, seed)}
    write_json(Path(__file__).with_suffix(".json"), facts | {"hardware": hardware("cpu"), "commit": commit()})


if __name__ == "__main__":
    exit_on_user_error(lambda: main(sys.argv[1:]))
