"""Cost and gain of prepared weights in translation: a stored run, its test split, one thread.

    python -m benchmarks.compression task=multi30k_de_en rnn=lstm seed=1      writes benchmarks/compression.json

Translates the test split with the network as it was trained and ``prepared`` in each format of its weights; prints BLEU,
chrF, the share of lines that stay the same, and sentences a second.
"""

import sys
from functools import partial

import torch

from benchmarks.timing import store, timed
from pipelines.kinds.translation import read_texts, score_texts, translate_split
from pipelines.settings.compose import compose, exit_on_user_error
from pipelines.settings.schema import Experiment
from rnn_lightning import Seq2Seq
from rnn_lightning.files import read_json
from rnn_lightning.inference import WEIGHTS, prepared
from rnn_lightning.predictors.searching import Searcher
from rnn_lightning.predictors.sides import tokenizer_side


def measure(experiment: Experiment, seed: int) -> list[dict[str, float | str]]:
    """Quality and speed of one seed's run by format of its weights."""
    processed = experiment.processed()
    texts = read_texts(processed, "test", lowercase=read_json(processed / "card.json")["lowercase"])
    data = experiment.task.data.build(folder=processed)
    checkpoint = experiment.run(seed) / "model.ckpt"
    system = Seq2Seq.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True).eval()
    search, encode = experiment.task.metric.search, tokenizer_side(texts.tokenizer).encode_known
    rows: list[dict[str, float | str]] = []
    trained: list[str] = []
    for weights in ("plain", *WEIGHTS):
        network = system if weights == "plain" else prepared(system, weights)
        translate = partial(translate_split, Searcher([network], search, encode), data, "test", texts.tokenizer)
        translations, seconds = timed(translate)
        trained = trained or translations
        same = sum(one == two for one, two in zip(translations, trained, strict=True)) / len(translations)
        scores = score_texts(translations, texts).values
        rows.append({"weights": weights, **scores, "same_lines": same, "sentences_per_second": len(translations) / seconds})
        print(", ".join(f"{name} {value:.4g}" if name != "weights" else str(value) for name, value in rows[-1].items()))
    return rows


def main(arguments: list[str]) -> None:
    experiment = compose(arguments)
    (seed,) = experiment.all_seeds()
    torch.set_num_threads(1)
    results = {"run": str(experiment.run(seed)), "rows": measure(experiment, seed)}
    store(__file__, results)


if __name__ == "__main__":
    exit_on_user_error(lambda: main(sys.argv[1:]))
