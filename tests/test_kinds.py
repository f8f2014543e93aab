"""Kinds of systems: every system of conf/ has one, and a new one is a system, a predictor, a kind, and a line in each table."""

import io
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from run_folders import run_by_stages
from torch import Tensor, nn
from torchmetrics import MeanMetric

import rnn_lightning
from pipelines.kinds import KINDS, TRANSCRIPTION, kind_of
from pipelines.kinds.base import Kind, answer_split
from pipelines.predict import reader
from pipelines.settings.compose import CONF, compose
from pipelines.settings.schema import Experiment
from rnn_lightning import Batch, PairModule, System, load_predictor
from rnn_lightning.files import read_json
from rnn_lightning.items.folders import read_tokenizer
from rnn_lightning.items.inputs import NOTHING, Encoded, Inputs, TextInputs
from rnn_lightning.predictors import CHECKPOINT, PREDICTORS, Answer, Predictor, read_description
from rnn_lightning.recurrent import recurrent
from rnn_lightning.sequences import IGNORED, State, last_outputs

OF_THE_LIBRARY, PREDICTOR_NAMES = dict(KINDS), set(PREDICTORS)
TASKS = sorted(file.stem for file in (CONF / "task").glob("*.yaml"))


@cache
def of_task(task: str) -> Experiment:
    return compose([f"task={task}"])


class Matcher(System):
    """How alike two sequences are, by the inner product of what two networks make of them; each batch is its own negatives."""

    def __init__(
        self,
        vocab_size: int,
        target_vocab_size: int,
        rnn: dict[str, Any],
        *,
        end: int,
        embedding_size: int = 16,
        optimizer: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, None)
        self.vocab_size = vocab_size
        self.embeddings = nn.ModuleList([nn.Embedding(size, embedding_size) for size in (vocab_size, target_vocab_size)])
        self.networks = nn.ModuleList([recurrent(input_size=embedding_size, **rnn) for _ in range(2)])
        self.add_metrics(accuracy=MeanMetric)

    def read(self, side: int, tokens: Tensor, lengths: Tensor | None) -> Tensor:
        """What network ``side`` has read (B, H) at the end of each row of ``tokens`` (B, T)."""
        outputs, _ = self.networks[side](self.embeddings[side](tokens.masked_fill(tokens == IGNORED, 0)), lengths)
        return last_outputs(outputs, lengths, bidirectional=False)

    def run(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        return self.read(0, inputs, lengths), ()

    def similarity(self, batch: Batch) -> Tensor:
        """How alike each input and each target of a batch are: (B, B)."""
        return self.read(0, batch.inputs, batch.lengths) @ self.read(1, batch.targets, batch.target_lengths).T

    def loss_on(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        scores, own = self.similarity(batch), torch.arange(len(batch.inputs))
        if split != "train":
            self.metric(split, "accuracy").update((scores.argmax(1) == own).float())
        return F.cross_entropy(scores, own), len(own)

    def predict_on(self, batch: Batch) -> Tensor:
        return self.read(0, batch.inputs, batch.lengths)


class TwoTexts(Inputs):
    """Two texts, as a pair or as a line with a tab between."""

    def __init__(self, one: TextInputs, other: TextInputs) -> None:
        self.one, self.other = one, other

    def encode(self, item: Any) -> Encoded:
        if not item:
            return NOTHING
        texts = item.split("\t") if isinstance(item, str) else item
        if len(texts) != 2:
            raise ValueError(f"it has {len(texts)} texts, not 2 with a tab between")
        one, other = (side.encode(text) for side, text in zip((self.one, self.other), texts, strict=True))
        return Encoded(one.steps, other)


class MatchPredictor(Predictor[Matcher]):
    """``{"text": "1.25", "similarity": 1.25}`` for each pair of texts."""

    @classmethod
    def load(cls, folder: str | Path, *, batch_size: int = 32) -> "MatchPredictor":
        names = read_description(folder)["files"]
        inputs = TwoTexts(*(TextInputs(read_tokenizer(Path(folder) / name)) for name in names))
        return cls(Matcher.load_from_checkpoint(Path(folder) / CHECKPOINT, weights_only=True), inputs, batch_size=batch_size)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        sides = [self.pad(batch), self.pad([item.source for item in batch])]
        one, other = (self.system.read(side, *inputs) for side, inputs in enumerate(sides))
        return [{"text": f"{value:.6g}", "similarity": value} for value in (one * other).sum(1).tolist()]


class MatchKind(Kind[Matcher]):
    predictor = "match"

    def units_in(self, batch: Batch) -> int:
        return len(batch.inputs)

    def test(self, experiment: Any, system: Matcher, data: PairModule, folder: Path) -> dict[str, float]:
        found = answer_split(system.eval(), data, "test", lambda batch: system.similarity(batch).diag().tolist())
        (folder / "similarities.txt").write_text("".join(f"{value:.4f}\n" for value in found))
        return {"test/similarity": sum(found) / len(found)}

    def description(self, experiment: Any, card: dict[str, Any]) -> dict[str, Any]:
        return {"predictor": self.predictor, "files": ["tokenizer.json", "target_tokenizer.json"]}


MATCHING = [
    "task=dates",
    "rnn=gru",
    "task.corpus.rows={train: 300, validation: 40, test: 50}",
    "task.training.epochs=2",
    "task.training.validate_every=null",
    "task.parameters=null",
    "+task.rnn.hidden_size=12",
    "task.data.batch_size=30",
    "task.model._target_=rnn_lightning.Matcher",
    "~task.model.attention",
    "~task.metric.search",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run of a kind that is made up here, by all stages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rnn_lightning, "Matcher", Matcher, raising=False)
        patch.setitem(KINDS, Matcher, MatchKind())
        patch.setitem(PREDICTORS, "match", MatchPredictor)
        with run_by_stages(tmp_path_factory.mktemp("place"), MATCHING) as folder:
            yield folder


def test_a_new_kind_goes_through_all_stages(run: Path) -> None:
    metrics, training = read_json(run / "metrics.json"), read_json(run / "training.json")
    similarities = [float(line) for line in (run / "similarities.txt").read_text().splitlines()]
    assert len(similarities) == 50 and metrics["test/similarity"] == pytest.approx(sum(similarities) / 50, abs=1e-3)
    assert 0 < metrics["test/accuracy"] <= 1 and training["steps"] == 20
    assert read_json(run / "predictor.json")["predictor"] == "match"
    assert {"tokenizer.json", "target_tokenizer.json", "model.ckpt"} <= {file.name for file in run.iterdir()}


def test_a_new_kind_answers_lines_and_is_served(run: Path) -> None:
    import mlflow

    sides = (
        (run.parents[3] / f"data/processed/dates/test.{side}.txt").read_text().splitlines() for side in ("source", "target")
    )
    pairs = list(zip(*sides, strict=True))
    lines = ["\t".join(pair) for pair in pairs]
    answers = load_predictor(run)(pairs)
    similarities = [float(line) for line in (run / "similarities.txt").read_text().splitlines()]
    assert [answer["similarity"] for answer in answers] == pytest.approx(similarities, abs=1e-3)
    stream = io.BytesIO("".join(f"{line}\n" for line in lines).encode())
    command = [json.loads(line) for line in reader({"run": run, "format": "json", "batch_size": 50}).answer(stream)]
    assert [each["similarity"] for each in command] == pytest.approx(similarities, abs=1e-3)
    (stored,) = mlflow.search_logged_models(output_format="list")
    assert mlflow.pyfunc.load_model(stored.model_uri).predict(lines) == answers


@pytest.mark.parametrize("task", TASKS)
def test_the_system_of_every_task_has_a_kind_and_this_a_predictor(task: str) -> None:
    assert kind_of(of_task(task)).predictor in PREDICTORS


def test_every_predictor_is_of_some_kind_and_every_kind_is_in_use() -> None:
    systems = {of_task(task).task.model.cls() for task in TASKS}
    assert set(OF_THE_LIBRARY) == systems
    assert {kind.predictor for kind in OF_THE_LIBRARY.values()} | {"regression", TRANSCRIPTION.predictor} == PREDICTOR_NAMES


def test_what_is_no_system_is_refused() -> None:
    with pytest.raises(ValueError, match=r"_target_ must be one of the systems \['CTC.*\], not 'rnn_lightning.Batch'"):
        kind_of(compose(["task=adding", "task.model._target_=rnn_lightning.Batch"]))


@pytest.mark.parametrize(("classes", "predictor"), [({"num_classes": 3}, "classification"), ({}, "regression")])
def test_a_classifier_without_classes_is_a_regressor(classes: dict[str, int], predictor: str) -> None:
    experiment = compose(["task=adding"])
    assert kind_of(experiment).description(experiment, classes)["predictor"] == predictor


@pytest.mark.parametrize(("task", "expected"), [("adding", 4), ("nested", 15), ("strokes", 15), ("foresight", 15)])
def test_speed_is_counted_in_rows_or_in_real_steps(task: str, expected: int) -> None:
    targets = torch.zeros(4) if task == "adding" else torch.zeros(4, 7)
    batch = Batch(torch.zeros(4, 7, 2), torch.tensor([7, 5, 2, 1]), targets)
    assert kind_of(compose([f"task={task}"])).units_in(batch) == expected
    whole = kind_of(compose([f"task={task}"])).units_in(batch._replace(lengths=None))
    assert whole == (4 if task == "adding" else 28)
