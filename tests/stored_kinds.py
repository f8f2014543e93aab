"""Runs of every kind of predictor, whose networks have learned nothing, with 50 items each."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from corpora import write_fetched
from PIL import Image
from run_folders import store_run

from pipelines.settings.compose import compose
from pipelines.settings.schema import Experiment
from pipelines.training.building import build_system
from rnn_lightning.files import read_json

SMALL = ["task.parameters=null", "+task.rnn.hidden_size=8", "seed=1"]
ROWS = "task.corpus.rows={train: 80, validation: 5, test: 50}"
CHARACTERS = "+task.model.characters={kind: cnn, filters: 8, embedding_size: 8}"
DRAWS = np.random.default_rng(0)


class Stored(NamedTuple):
    """A run's folder, 50 items for its predictor, and the strings that stand for these in a request to a server."""

    folder: Path
    items: list[Any]
    requests: list[str]


def dates(experiment: Experiment) -> list[str]:
    return (experiment.processed() / "test.source.txt").read_text().splitlines()


def prompts(experiment: Experiment) -> list[str]:
    return [" ".join(line.split()[:9]) for line in (experiment.raw() / "test.txt").read_text().splitlines()]


def sounds(rate: int) -> list[str]:
    names = []
    for number in range(50):
        times = np.arange(int(rate * DRAWS.uniform(0.05, 0.3))) / rate
        glide = 0.3 * np.sin(2 * np.pi * (200 + 2000 * DRAWS.random() * times) * times)
        names.append(f"{rate}-{number}.wav")
        soundfile.write(names[-1], glide + DRAWS.normal(0, 0.02, len(times)), rate)
    return names


def pictures() -> list[str]:
    names = [f"{number}.png" for number in range(50)]
    for name in names:
        Image.fromarray(DRAWS.integers(0, 256, (int(DRAWS.integers(3, 12)), 28)).astype(np.uint8)).save(name)
    return names


def scribbles() -> list[str]:
    def stroke() -> list[list[float]]:
        return np.cumsum(DRAWS.normal(0, 1, (DRAWS.integers(1, 9), 2)), 0).tolist()

    return [json.dumps([stroke() for _ in range(DRAWS.integers(1, 4))]) for _ in range(50)]


def sentences(experiment: Experiment) -> list[str]:
    blocks = (experiment.processed() / "test.txt").read_text().strip().split("\n\n")
    return [" ".join(line.split("\t")[0] for line in block.splitlines()) for block in blocks]


def requests_of_clinc(experiment: Experiment) -> list[str]:
    return [f"{DRAWS.choice(['what', 'the', 'please'])} time " * int(DRAWS.integers(1, 5)) for _ in range(50)]


def arrays(experiment: Experiment) -> list[str]:
    rows = np.load(experiment.processed() / "test.npz")["inputs"].reshape(50, -1, 2)
    return [json.dumps(row[: DRAWS.integers(1, len(row))].tolist()) for row in rows]


def symbols(experiment: Experiment) -> list[str]:
    return [" ".join(map(str, DRAWS.integers(0, 10, DRAWS.integers(1, 20)).tolist())) for _ in range(50)]


NAMES = {"classes": ["a", "b", "c"]}
KINDS: dict[str, tuple[list[str], dict[str, Any] | None, Callable[[Experiment], list[str]]]] = {
    "translation": (["task=dates", "rnn=gru", ROWS], None, dates),
    "tagging": (
        ["task=foresight", "rnn=bigru", ROWS, "+task.model.characters={kind: cnn, filters: 8, embedding_size: 8}"],
        None,
        sentences,
    ),
    "text-classes": (["task=clinc", "rnn=bilstm", "task.model.input_size=6"], None, requests_of_clinc),
    "sound-classes": (["task=digits"], {**NAMES, "num_classes": 3, "input_size": 32}, lambda _: sounds(8000)),
    "picture-classes": (["task=mnist_rows"], {**NAMES, "num_classes": 3, "input_size": 28}, lambda _: pictures()),
    "frames": (["task=phonemes", "rnn=bilstm"], {**NAMES, "input_size": 39}, lambda _: sounds(16000)),
    "recognition": (["task=strokes"], {"labels": ["<blank>", "1", "2"], "input_size": 4}, lambda _: scribbles()),
    "transduction": (["task=strokes_transducer"], {"labels": ["<blank>", "1", "2"], "input_size": 4}, lambda _: scribbles()),
    "language": (["task=nested", ROWS], None, prompts),
    "symbols": (["task=copying", ROWS], None, symbols),
    "values": (["task=adding", ROWS], None, arrays),
}


def store_kind(place: Path, name: str) -> Stored:
    """The run of a kind, with weights that were drawn; ``place`` is the working folder."""
    settings, card, items_of = KINDS[name]
    experiment = compose([*settings, *SMALL])
    if card is None:
        corpus = experiment.task.corpus.build()
        if name == "text-classes":
            rows = {"text": ["what time is it", "turn it on please", "why"], "intent": ["time", "on", "oos"]}
            write_fetched(experiment.raw(), dict.fromkeys(("train", "validation", "test"), rows), corpus.spec())
        else:
            corpus.fetch(experiment.raw())
        corpus.preprocess(experiment.raw(), experiment.processed())
        card = read_json(experiment.processed() / "card.json")
    folder = store_run(place / "runs" / name, experiment, build_system(experiment, card, planned=10), card)
    items = items_of(experiment)
    sent = items
    if name in ("sound-classes", "picture-classes", "frames"):
        sent = [base64.b64encode(Path(item).read_bytes()).decode() for item in items]
    return Stored(folder, items, sent)
