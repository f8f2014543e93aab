"""Cost and gain of prepared weights in translation: a stored run, its test split, one thread.

    python -m benchmarks.compression task=multi30k_de_en rnn=lstm seed=1      writes benchmarks/compression.json

Translates the validation and the test split with the network as it was trained and ``prepared`` in each format of its weights;
prints BLEU, chrF, the share of lines that stay the same, sentences a second, and how likely a difference in BLEU as large as
that from the network as it was trained is by chance (p, paired bootstrap, Koehn 2004).
"""

import sys
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest, Result

from benchmarks.timing import store, timed
from pipelines.kinds.translation import Texts, read_texts, score_texts, translate_split
from pipelines.settings.compose import compose, exit_on_user_error
from pipelines.settings.schema import Experiment
from rnn_lightning import Seq2Seq
from rnn_lightning.files import read_json
from rnn_lightning.inference import WEIGHTS, prepared
from rnn_lightning.predictors.searching import Searcher
from rnn_lightning.predictors.sides import tokenizer_side


def measure(experiment: Experiment, seed: int, split: str) -> list[dict[str, float | str]]:
    """Quality and speed of one seed's run on a split by format of its weights."""
    processed = experiment.processed()
    texts = read_texts(processed, split, lowercase=read_json(processed / "card.json")["lowercase"])
    data = experiment.task.data.build(folder=processed)
    checkpoint = experiment.run(seed) / "model.ckpt"
    system = Seq2Seq.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True).eval()
    search, encode = experiment.task.metric.search, tokenizer_side(texts.tokenizer).encode_known
    found: dict[str, list[str]] = {}
    seconds: dict[str, float] = {}
    for weights in ("plain", *WEIGHTS):
        network = system if weights == "plain" else prepared(system, weights)
        translate = partial(translate_split, Searcher([network], search, encode), data, split, texts.tokenizer)
        found[weights], seconds[weights] = timed(translate)
    rows: list[dict[str, float | str]] = []
    for (weights, translations), chance in zip(found.items(), by_chance(found, texts), strict=True):
        same = sum(one == two for one, two in zip(translations, found["plain"], strict=True)) / len(translations)
        scores = score_texts(translations, texts).values
        speed = len(translations) / seconds[weights]
        rows.append({"split": split, "weights": weights, **scores, **chance, "same_lines": same, "sentences_per_second": speed})
        print(", ".join(f"{name} {value:.4g}" if isinstance(value, float) else str(value) for name, value in rows[-1].items()))
    return rows


def by_chance(found: Mapping[str, Sequence[str]], texts: Texts) -> list[dict[str, float]]:
    """For each format, how likely its difference in BLEU from the first is by chance; nothing for the first."""
    first, *others = found.values()
    measures = {"BLEU": BLEU(lowercase=texts.lowercase, references=[texts.references])}
    chances: list[dict[str, float]] = [{}]
    for other in others:
        if other == first:  # for equal lines the test says 1 / (n_samples + 1)
            chances.append({"p": 1.0})
            continue
        _, results = PairedTest([("first", first), ("other", other)], measures, None, test_type="bs", n_samples=1000)()
        chances += [{"p": result.p_value} for result in results["BLEU"] if isinstance(result, Result) and result.p_value]
    return chances


def main(arguments: list[str]) -> None:
    experiment = compose(arguments)
    (seed,) = experiment.all_seeds()
    torch.set_num_threads(1)
    rows = [row for split in ("validation", "test") for row in measure(experiment, seed, split)]
    results = {"run": str(experiment.run(seed)), "rows": rows}
    store(__file__, results)


if __name__ == "__main__":
    exit_on_user_error(lambda: main(sys.argv[1:]))
