"""BLEU as the tutorials on Multi30k report it: greedy translations, spaCy's tokens, all in lower case, no smoothing.

    pip install -c constraints.txt -e '.[spacy]'
    python -m benchmarks.published_bleu task=multi30k_de_en rnn=lstm seed=1      writes benchmarks/published_bleu.json

The metric of bentrevett/pytorch-seq2seq, by which the references of ``conf/task/multi30k_de_en.yaml`` are measured. Our own
results are BLEU over sacreBLEU's 13a tokens, which says more and is translations by a beam.
"""

import sys
from pathlib import Path

import torch

from pipelines.kinds.translation import greedy, read_texts, translate_split
from pipelines.runs.provenance import commit, hardware
from pipelines.settings.compose import compose, exit_on_user_error
from rnn_lightning import Seq2Seq
from rnn_lightning.files import read_json, write_json


def tokenised(lines: list[str], language: str) -> list[str]:
    """Each line in lower case, with spaCy's tokens between spaces."""
    import spacy  # pyright: ignore[reportMissingImports]

    split = spacy.blank(language).tokenizer
    return [" ".join(token.text.lower() for token in split(line)) for line in lines]


def main(arguments: list[str]) -> None:
    from sacrebleu.metrics.bleu import BLEU

    experiment = compose(arguments)
    (seed,) = experiment.all_seeds()
    torch.set_num_threads(1)
    processed, run = experiment.processed(), experiment.run(seed)
    card = read_json(processed / "card.json")
    texts = read_texts(processed, "test", lowercase=card["lowercase"])
    system = Seq2Seq.load_from_checkpoint(run / "model.ckpt", map_location="cpu", weights_only=True).eval()
    translations = translate_split(greedy(system), experiment.task.data.build(folder=processed), "test", texts.tokenizer)
    language = str((experiment.task.corpus.model_extra or {})["target"])
    references = tokenised(texts.references, language)
    measure = BLEU(tokenize="none", smooth_method="none", force=True)
    bleu = measure.corpus_score(tokenised(translations, language), [references]).score
    print(f"{run}: {bleu:.2f} {measure.get_signature()}")
    results = {"run": str(run), "bleu": bleu, "signature": str(measure.get_signature()), "tokens": "spaCy, lower case, greedy"}
    write_json(Path(__file__).with_suffix(".json"), results | {"hardware": hardware("cpu"), "commit": commit()})


if __name__ == "__main__":
    exit_on_user_error(lambda: main(sys.argv[1:]))
