"""Encoder-decoders in the pipeline: translations of a split, in training and test, scored as the field scores them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import lightning
from lightning.pytorch.callbacks import Callback

from pipelines import tracking
from pipelines.kinds.base import Kind, answer_split
from pipelines.kinds.searches import check_searcher, ensemble_loss, searcher_of
from pipelines.runs.partners import names_others
from pipelines.settings.schema import Experiment
from rnn_lightning import PairModule, Seq2Seq
from rnn_lightning.files import read_json, write_json, write_text
from rnn_lightning.inference import prepared
from rnn_lightning.predictors.searching import Searcher
from rnn_lightning.predictors.sides import tokenizer_side
from rnn_lightning.predictors.translation import TranslationPredictor
from rnn_lightning.sequences import Batch

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SOURCE_TOKENIZER, TARGET_TOKENIZER, SEARCH = "tokenizer.json", "target_tokenizer.json", "search.json"
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


class TranslationKind(Kind[Seq2Seq]):
    """A text for each text."""

    predictor = "translation"
    validated = ("bleu", "chrf", "accuracy")

    def check_search(self, experiment: Experiment, system: Seq2Seq, data: PairModule) -> None:
        texts = read_texts(experiment.processed(), "validation", lowercase=False)
        check_searcher(search_by(system.eval(), experiment.task.metric.search, texts), data)
        system.train()

    def callbacks(
        self, experiment: Experiment, data: PairModule, card: dict[str, Any], work: Path, run_id: str
    ) -> list[Callback]:
        texts = read_texts(experiment.processed(), "validation", lowercase=card["lowercase"])
        return [Translator(data, texts, work / "validation", run_id)]

    def description(self, experiment: Experiment, card: dict[str, Any]) -> dict[str, Any]:
        tokenizers = {"tokenizer": SOURCE_TOKENIZER, "target_tokenizer": TARGET_TOKENIZER}
        files, search = list(tokenizers.values()), experiment.task.metric.search
        return {"predictor": self.predictor, "files": files, **tokenizers, "search": search}

    def test(self, experiment: Experiment, system: Seq2Seq, data: PairModule, folder: Path) -> dict[str, float]:
        """Leaves the translations, found as the task's metric says, and how they were scored. Of an ensemble the loss is
        measured here too."""
        search, processed = experiment.task.metric.search, experiment.processed()
        texts = read_texts(processed, "test", lowercase=read_json(processed / "card.json")["lowercase"])
        searcher = search_by(prepared(system), search, texts)
        found = translate_split(searcher, data, "test", texts.tokenizer)
        scores = score_texts(found, texts)
        (folder / "translations.txt").write_text("".join(f"{line}\n" for line in found), encoding="utf-8")
        write_json(folder / SEARCH, {"search": search, "signatures": scores.signatures})
        values = {f"test/{name}": value for name, value in scores.values.items()}
        return (ensemble_loss(searcher, system, data) if names_others(search) else {}) | values


def search_by(system: Seq2Seq, settings: Mapping[str, Any], texts: Texts) -> Searcher:
    """The search of a test by ``system``, which reads and writes ``texts``; see `searcher_of`."""
    target = tokenizer_side(texts.tokenizer)
    shared = TranslationPredictor.shared_by(texts.source_tokenizer, target)
    return searcher_of(system, settings, target, TranslationPredictor, shared)


def read_texts(processed: Path, split: str, *, lowercase: bool) -> Texts:
    """The texts of a split of a processed corpus."""
    from tokenizers import Tokenizer

    sources, references = (
        (processed / f"{split}.{side}.txt").read_text(encoding="utf-8").split("\n")[:-1] for side in ("source", "target")
    )
    source, target = (Tokenizer.from_file(str(processed / name)) for name in (SOURCE_TOKENIZER, TARGET_TOKENIZER))
    return Texts(sources, references, source, target, lowercase)


def translate_split(searcher: Searcher, data: PairModule, split: str, tokenizer: "Tokenizer") -> list[str]:
    """The best translation of every row of a split, in its order; an empty one where none is found."""

    def translate(batch: Batch) -> list[str]:
        return [tokenizer.decode(row[0].tokens) if row else "" for row in searcher(batch.inputs, batch.lengths)]

    return answer_split(cast(Any, searcher.systems[0]), data, split, translate)


def greedy(system: Seq2Seq) -> Searcher:
    """Greedy search by ``system``."""
    return Searcher([system], {"beam_size": 1}, lambda _: [])


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


class Translator(Callback):
    """Translates the validation split greedily at every validation, logs how good that is, and shows some of it."""

    def __init__(self, data: PairModule, texts: Texts, folder: Path, run_id: str) -> None:
        self.data, self.texts, self.folder, self.run_id = data, texts, folder, run_id

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        system = cast(Seq2Seq, pl_module)
        values: dict[str, float] = {}
        if trainer.is_global_zero:
            found = translate_split(greedy(system), self.data, "validation", self.texts.tokenizer)
            values = score_texts(found, self.texts).values
            self.show(system, found, trainer.global_step)
        for name, value in trainer.strategy.broadcast(values).items():
            pl_module.log(f"val/{name}", value)

    def show(self, system: Seq2Seq, found: Sequence[str], step: int) -> None:
        """Leave a page of translations, and where there is attention a picture of it, with the run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        page = self.folder / f"translations-{step:06}.md"
        lines = zip(self.texts.sources[:SHOWN], self.texts.references[:SHOWN], found[:SHOWN], strict=True)
        rows = "\n".join(f"| {' | '.join(text.replace('|', '&#124;') for text in line)} |" for line in lines)
        write_text(page, f"| source | reference | translation |\n|:--|:--|:--|\n{rows}\n")
        files = [page]
        if system.decoder.attention is not None:
            picture = self.folder / f"attention-{step:06}.png"
            self.draw_attention(system, picture)
            files += [picture] if picture.exists() else []
        tracking.log_files(self.run_id, files, "validation")

    def draw_attention(self, system: Seq2Seq, file: Path) -> None:
        """The attention of the model's own translation of the first validation row."""
        batch = self.data.dataset("validation")[(0,)]
        batch = system.transfer_batch_to_device(batch, system.device, 0)
        best = system.translate(batch.inputs, batch.lengths, beam_size=1)
        targets = best.tokens[:, 0, : int(best.lengths[0, 0])]
        weights = system.attend(batch.inputs, batch.lengths, targets)
        assert weights is not None
        from pipelines.kinds.pictures import attention_map

        target = words(self.texts.tokenizer, targets[0].tolist())
        source = words(self.texts.source_tokenizer, batch.inputs[0].tolist())
        attention_map(weights[0].cpu().numpy(), source, target, file)


def words(tokenizer: "Tokenizer", tokens: Sequence[int]) -> list[str]:
    """Tokens as the vocabulary writes them."""
    return [tokenizer.id_to_token(token) or "?" for token in tokens]
