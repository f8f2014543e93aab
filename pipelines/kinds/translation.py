"""Translations of a split: found by the model, turned back into text, scored as the field scores them."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import lightning
from lightning.pytorch.callbacks import Callback

from pipelines import tracking
from pipelines.kinds import pictures
from pipelines.kinds.base import TARGET_TOKENIZER
from pipelines.kinds.lines import SEARCH
from pipelines.settings.schema import Experiment
from rnn_lightning.data.pairs import PairModule
from rnn_lightning.files import read_json, write_json
from rnn_lightning.search import Hypotheses, make_normalisation
from rnn_lightning.systems.seq2seq import Seq2Seq

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SOURCE_TOKENIZER = "tokenizer.json"
NUMBERS = ("beam_size", "coverage", "diversity", "groups", "max_length", "min_length", "n_best", "patience")
SEARCHES = (*NUMBERS, "normalisation", "stop")
"""What a search can be told in plain values."""
SHOWN = 12
"""Translations that a validation shows."""


class Texts(NamedTuple):
    """A split as people read it: the lines of both sides, and what turns tokens into them."""

    sources: list[str]
    references: list[str]
    source_tokenizer: "Tokenizer"
    tokenizer: "Tokenizer"
    lowercase: bool


class Scores(NamedTuple):
    """``values``: bleu and chrf (0 to 100), accuracy (the share of lines that are exactly right); how the first two count."""

    values: dict[str, float]
    signatures: dict[str, str]


def read_texts(processed: Path, split: str, *, lowercase: bool) -> Texts:
    """The texts of a split of a processed corpus."""
    from tokenizers import Tokenizer

    sources, references = (
        (processed / f"{split}.{side}.txt").read_text(encoding="utf-8").split("\n")[:-1] for side in ("source", "target")
    )
    source, target = (Tokenizer.from_file(str(processed / name)) for name in (SOURCE_TOKENIZER, TARGET_TOKENIZER))
    return Texts(sources, references, source, target, lowercase)


def text_of(found: Hypotheses, row: int, rank: int, tokenizer: "Tokenizer") -> str:
    """Hypothesis ``rank`` of source ``row``, without its end token."""
    length = int(found.lengths[row, rank])
    return tokenizer.decode(found.tokens[row, rank, : max(length - 1, 0)].tolist())


def search_keywords(told: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of ``Seq2Seq.translate`` from plain values: ``{"normalisation": {"name": "gnmt", "alpha": 0.6}, ...}``.

    Raises:
        ValueError: for an unknown keyword, no number where one is needed, an unknown normalisation or a keyword that it does
            not have.
    """
    for name, value in told.items():
        if name not in SEARCHES:
            raise ValueError(f"a search has {', '.join(SEARCHES)}, and no {name!r}")
        if name in NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{name} of a search must be a number, not {value!r}")
    return {**told, "normalisation": make_normalisation(told.get("normalisation"))}


def translate_split(system: Seq2Seq, data: PairModule, split: str, tokenizer: "Tokenizer", **search: Any) -> list[str]:
    """The best translation of every row of a split, in its order; ``search`` are keywords of ``Seq2Seq.translate``."""
    dataset = data.dataset(split)
    texts = [""] * len(dataset.lengths)
    for rows in dataset.in_order():
        batch = system.transfer_batch_to_device(dataset[rows], system.device, 0)
        found = system.translate(batch.inputs, batch.lengths, **search)
        for place, row in enumerate(rows):
            texts[row] = text_of(found, place, 0, tokenizer)
    return texts


def score_texts(found: Sequence[str], texts: Texts) -> Scores:
    """Corpus BLEU (Papineni et al. 2002) and chrF (Popović 2015) by sacreBLEU (Post 2018), and exact matches."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    measures = {"bleu": BLEU(lowercase=texts.lowercase), "chrf": CHRF(lowercase=texts.lowercase)}
    values = {name: measure.corpus_score(found, [texts.references]).score for name, measure in measures.items()}
    signatures = {name: str(measure.get_signature()) for name, measure in measures.items()}
    pairs = zip(found, texts.references, strict=True)
    right = sum(one.lower() == two.lower() if texts.lowercase else one == two for one, two in pairs)
    return Scores(values | {"accuracy": right / len(found)}, signatures)


def translate_test(experiment: Experiment, system: Seq2Seq, data: PairModule, folder: Path) -> dict[str, float]:
    """Translate the test split as the task's metric says; leaves in the run's ``folder`` what it takes to do so again."""
    processed = experiment.processed()
    texts = read_texts(processed, "test", lowercase=read_json(processed / "card.json")["lowercase"])
    found = translate_split(system.eval(), data, "test", texts.tokenizer, **search_keywords(experiment.task.metric.search))
    scores = score_texts(found, texts)
    (folder / "translations.txt").write_text("".join(f"{line}\n" for line in found), encoding="utf-8")
    write_json(folder / SEARCH, {"search": experiment.task.metric.search, "signatures": scores.signatures})
    for name in (SOURCE_TOKENIZER, TARGET_TOKENIZER):
        shutil.copy(processed / name, folder)
    return {f"test/{name}": value for name, value in scores.values.items()}


def check_search(system: Seq2Seq, data: PairModule, told: Mapping[str, Any]) -> None:
    """Refuse, before ``system`` is trained, a search that its test would fail by.

    Raises:
        ValueError: as ``search_keywords`` and ``Seq2Seq.translate``.
    """
    batch = data.dataset("validation")[(0,)]
    system.eval().translate(batch.inputs, batch.lengths, **search_keywords(told))
    system.train()


class Translator(Callback):
    """Translates the validation split greedily at every validation, logs how good that is, and shows some of it."""

    def __init__(self, data: PairModule, texts: Texts, folder: Path, run_id: str) -> None:
        self.data, self.texts, self.folder, self.run_id = data, texts, folder, run_id

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, Seq2Seq)
        values: dict[str, float] = {}
        if trainer.is_global_zero:
            found = translate_split(pl_module, self.data, "validation", self.texts.tokenizer, beam_size=1)
            values = score_texts(found, self.texts).values
            self.show(pl_module, found, trainer.global_step)
        for name, value in trainer.strategy.broadcast(values).items():
            pl_module.log(f"val/{name}", value)

    def show(self, system: Seq2Seq, found: Sequence[str], step: int) -> None:
        """Leave a page of translations, and where there is attention a picture of it, with the run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        page = self.folder / f"translations-{step:06}.md"
        lines = zip(self.texts.sources[:SHOWN], self.texts.references[:SHOWN], found[:SHOWN], strict=True)
        rows = "\n".join(f"| {' | '.join(text.replace('|', '&#124;') for text in line)} |" for line in lines)
        page.write_text(f"| source | reference | translation |\n|:--|:--|:--|\n{rows}\n", encoding="utf-8")
        files = [page]
        if system.decoder.attention is not None:
            files.append(self.draw_attention(system, self.folder / f"attention-{step:06}.png"))
        with tracking.warn_if_tracking_fails(f"the translations of step {step}"):
            tracking.log_files(self.run_id, files, "validation")

    def draw_attention(self, system: Seq2Seq, file: Path) -> Path:
        """The attention of the model's own translation of the first validation row."""
        batch = self.data.dataset("validation")[(0,)]
        batch = system.transfer_batch_to_device(batch, system.device, 0)
        best = system.translate(batch.inputs, batch.lengths, beam_size=1)
        targets = best.tokens[:, 0, : int(best.lengths[0, 0])]
        weights = system.attend(batch.inputs, batch.lengths, targets)
        assert weights is not None
        said = words(self.texts.tokenizer, targets[0].tolist())
        read = words(self.texts.source_tokenizer, batch.inputs[0].tolist())
        return pictures.attention_map(weights[0].cpu().numpy(), read, said, file)


def words(tokenizer: "Tokenizer", tokens: Sequence[int]) -> list[str]:
    """Tokens as the vocabulary writes them."""
    return [tokenizer.id_to_token(token) or "?" for token in tokens]
