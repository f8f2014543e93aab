"""Lines that name sound files or hold pen strokes: answered as the model answers the features of each alone."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from run_folders import store_run

from pipelines.predict import predict, reader
from pipelines.settings.compose import compose
from rnn_lightning import CTCRecognizer, FrameClassifier, SequenceClassifier, System
from rnn_lightning.audio import Spectra
from rnn_lightning.pen import pen_features

NET = {"cell": "gru", "hidden_size": 12, "bidirectional": True}
NAMES = ["a", "b", "c"]
LABELS = ["<blank>", *NAMES]


def stored(place: Path, task: str, system: System, *settings: str) -> Path:
    """The run of a ``system`` that has learned nothing, but says many things."""
    return store_run(place / task, compose([f"task={task}", *settings]), system, {"num_classes": 3})


def sound(seed: int, rate: int, seconds: float = 0.5) -> np.ndarray:
    draws = np.random.default_rng(seed)
    times = np.arange(round(rate * seconds)) / rate
    glide = 0.3 * np.sin(2 * np.pi * (200 + 2000 * draws.random() * times) * times)
    return (glide + draws.normal(0, 0.02, len(times))).astype(np.float32)


def files(place: Path, rate: int) -> list[str]:
    """Three sounds of several lengths and forms, by the names of their files."""
    names = [str(place / name) for name in ("one.wav", "two.flac", "three.wav")]
    for seed, name in enumerate(names):
        soundfile.write(name, sound(seed, rate, 0.3 + 0.2 * seed), rate, subtype="PCM_16")
    return names


def heard(name: str, **spectra: Any) -> torch.Tensor:
    samples, rate = soundfile.read(name, dtype="float32")
    return torch.from_numpy(Spectra(rate, **spectra).features(samples)).unsqueeze(0)


def answers(run: Path, lines: list[str], **told: Any) -> list[str]:
    text = "".join(f"{line}\n" for line in lines).encode()
    return list(reader({"run": str(run), **told}).answer(io.BytesIO(text)))


def classifier() -> SequenceClassifier:
    return SequenceClassifier(NET, 32, num_classes=3, classes=NAMES).eval()


def frame_classifier() -> FrameClassifier:
    return FrameClassifier(NET, 39, NAMES).eval()


def recognizer(**more: Any) -> CTCRecognizer:
    return CTCRecognizer(NET, 39, LABELS, unit="phoneme", **more).eval()


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_a_class_is_that_of_the_file_alone(tmp_path: Path, batch_size: int) -> None:
    system, names = classifier(), files(tmp_path, 8000)
    run = stored(tmp_path, "digits", system)
    alone = [system(heard(name, kind="log_mel", mels=32, deltas=0))[0].softmax(1)[0] for name in names]
    assert answers(run, names, batch_size=batch_size) == [NAMES[int(each.argmax())] for each in alone]
    for line, (told, sure) in enumerate(zip(answers(run, names, format="json", batch_size=batch_size), alone, strict=True), 1):
        expected = {"line": line, "text": NAMES[int(sure.argmax())], "confidence": pytest.approx(sure.max().item(), abs=1e-5)}
        assert json.loads(told) == expected


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_classes_of_frames_are_told_once_for_all_frames_in_a_row(tmp_path: Path, batch_size: int) -> None:
    system, names = frame_classifier(), files(tmp_path, 16000)
    run = stored(tmp_path, "phonemes", system)
    told = [json.loads(line) for line in answers(run, names, format="json", batch_size=batch_size)]
    assert answers(run, names, batch_size=batch_size) == [each["text"] for each in told]
    many = 0
    for name, each in zip(names, told, strict=True):
        found = system.classify(heard(name))[0].tolist()
        assert each["text"] == " ".join(part["label"] for part in each["labels"])
        centres = [0.0125 + 0.01 * frame for frame in range(len(found))]
        again = [[part["label"] for part in each["labels"] if part["start"] <= t < part["end"]] for t in centres]
        assert again == [[NAMES[number]] for number in found]
        assert all(1 / 3 <= part["confidence"] <= 1 for part in each["labels"])
        many = max(many, len(each["labels"]))
    assert many > 1


@pytest.mark.parametrize("beam_size", [None, 4])
@pytest.mark.parametrize("stride", [None, 3])
def test_labels_are_those_of_the_file_alone_and_stand_where_they_are_said(
    tmp_path: Path, stride: int | None, beam_size: int | None
) -> None:
    system, names = recognizer(subsampling=stride and {"channels": 8, "stride": stride}), files(tmp_path, 16000)
    run = stored(tmp_path, "phonemes_ctc", system)
    more = {} if beam_size is None else {"beam_size": beam_size}
    told = [json.loads(line) for line in answers(run, names, format="json", batch_size=2, **more)]
    assert answers(run, names, **more) == [each["text"] for each in told]
    for name, each in zip(names, told, strict=True):
        features = heard(name)
        best = system.recognize(features, beam_size=beam_size)
        labels = best.labels[0, 0].tolist()
        assert each["text"] == system.text(labels) == " ".join(part["label"] for part in each["labels"])
        assert each["score"] == pytest.approx(best.scores.item(), abs=1e-3)
        aligned = system.align(features, None, best.labels[:, 0])
        begins = [part["start"] for part in each["labels"]]
        assert begins == pytest.approx([0.0075 + 0.01 * (stride or 1) * start for start in aligned.starts[0].tolist()])
        assert [part["confidence"] for part in each["labels"]] == pytest.approx(aligned.confidence[0].tolist(), abs=1e-3)
        assert all(part["end"] <= 0.0075 + 0.01 * features.shape[1] + 1e-9 for part in each["labels"])
    assert max(len(each["labels"]) for each in told) > 1


STROKES = [[[[0, 0], [1, 5], [2, 0]], [[5, 5]]], [[[0, 0], [0, 9]], [], [[3, 3], [9, 9], [9, 0]]], [[[2, 2]]]]


@pytest.mark.parametrize(("task", "spacing"), [("strokes", 0.25), ("unipen", 0.2)])
def test_strokes_are_read_as_the_corpus_does(tmp_path: Path, task: str, spacing: float) -> None:
    system = CTCRecognizer(NET, 4, LABELS).eval()
    run = stored(tmp_path, task, system)
    told = [json.loads(line) for line in answers(run, [json.dumps(each) for each in STROKES], format="json")]
    for strokes, each in zip(STROKES, told, strict=True):
        features = torch.from_numpy(pen_features(strokes, spacing=spacing)).unsqueeze(0)
        best = system.recognize(features)
        assert each["text"] == system.text(best.labels[0, 0].tolist())
        aligned = system.align(features, None, best.labels[:, 0])
        assert [part["first_step"] for part in each["labels"]] == aligned.starts[0].tolist()
        assert [part["steps"] for part in each["labels"]] == (aligned.ends - aligned.starts)[0].tolist()
    assert len(told[2]["labels"]) <= 1  # a dot is one step


def broken(place: Path) -> dict[str, str]:
    """Files that are no signals, by what is said of them."""
    with_nan = sound(1, 16000)
    with_nan[7] = np.nan
    made: dict[str, Callable[[str], Any]] = {
        "it is no sound that can be read": lambda name: Path(name).write_bytes(b"not a sound"),
        "it is cut short": lambda name: Path(name).write_bytes(Path(place / "one.wav").read_bytes()[:-1000]),
        "its sampling rate is 8000 Hz, not 16000": lambda name: soundfile.write(name, sound(0, 8000), 8000),
        "it has 2 channels": lambda name: soundfile.write(name, np.stack([sound(0, 16000)] * 2, 1), 16000),
        "it has no samples": lambda name: soundfile.write(name, sound(0, 16000)[:0], 16000),
        "it lasts 0.010 s, less than a window": lambda name: soundfile.write(name, sound(0, 16000, 0.01), 16000),
        "it is silent: every sample is 0": lambda name: soundfile.write(name, np.zeros(8000, np.float32), 16000),
        "sample 7 is nan": lambda name: soundfile.write(name, with_nan, 16000, subtype="FLOAT"),
        "there is no such file to read": lambda name: None,
    }
    named = {said: str(place / f"broken{number}.wav") for number, said in enumerate(made)}
    for said, name in named.items():
        made[said](name)
    return {**named, "Is a directory": str(place), "null": "a\0b"}


def test_files_that_are_no_signals_are_named_and_harm_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = stored(tmp_path, "phonemes", frame_classifier())
    good, bad = files(tmp_path, 16000), broken(tmp_path)
    lines = [good[0], *bad.values(), "", good[1]]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode() + b"\n\xff\n")))
    with pytest.raises(SystemExit, match="1"):
        predict([f"run={run}", "batch_size=3"])
    printed = capsys.readouterr()
    expected = answers(run, good[:2])
    assert printed.out.split("\n")[:-1] == [expected[0], *[""] * (len(bad) + 1), expected[1], ""]
    errors = printed.err.splitlines()
    for number, (said, name) in enumerate(bad.items(), start=2):
        told = [line for line in errors if line.startswith(f"error: line {number}, {name}"[:90])]
        assert len(told) == 1 and said in told[0]
    assert len(errors) == len(bad) + 1 and errors[-1].startswith(f"error: line {len(lines) + 1} is not UTF-8")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[[[0, 0], [1, NaN]]]", "stroke 0, point 1 is"),
        ("[[[0, 0, 0]]]", "stroke 0 must be points"),
        ("[]", "the trajectory has no points in its 0 strokes"),
        ("[[], []]", "the trajectory has no points in its 2 strokes"),
        ("[[[0, 0], [1]]]", "it is no JSON of strokes"),
        ('[[["a", "b"]]]', "it must have numbers alone, and 'a' is among them"),
        ('"12"', "it must have numbers alone, and '12' is among them"),
        ("[[[0, 0]", "it is no JSON of strokes"),
        ("hello", "it is no JSON of strokes"),
        ('{"strokes": []}', "it is no JSON of strokes"),
        ("7", "it is no JSON of strokes"),
        ('[{"x": 1}]', "it is no JSON of strokes"),
        (f"[[[0, 1{'0' * 400}]]]", "it is no JSON of strokes"),
        ("[" * 100_000, "it is no JSON of strokes"),
    ],
)
def test_lines_that_are_no_strokes_are_named(tmp_path: Path, line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    run = stored(tmp_path, "unipen", CTCRecognizer(NET, 4, LABELS).eval())
    good = json.dumps(STROKES[0])
    assert answers(run, [line, good]) == ["", *answers(run, [good])]
    (told,) = [line for line in capsys.readouterr().err.splitlines() if "tested with a language model" not in line]
    assert told.startswith("error: line 1, ") and said in told and len(told) < 250


@pytest.mark.parametrize(
    ("task", "more", "said"),
    [
        ("digits", {"beam_size": 4}, "beam_size: there is no such setting"),
        ("digits", {"format": "xml"}, "format must be 'text' or 'json'"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(tmp_path: Path, task: str, more: dict[str, Any], said: str) -> None:
    run = stored(tmp_path, task, classifier())
    with pytest.raises(ValueError, match=said):
        reader({"run": str(run), **more})


def test_features_that_need_their_speaker_are_given_themselves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file does not say whose mean and deviation its features need."""
    system = frame_classifier()
    run = stored(tmp_path, "phonemes", system, "+task.corpus.per_speaker=voice")
    (name, *_), features = files(tmp_path, 16000), np.random.default_rng(0).normal(size=(7, 39)).astype(np.float32)
    told, refused = answers(run, [json.dumps(features.tolist()), name], format="json")
    found = system.classify(torch.from_numpy(features)[None])[0].tolist()
    labels = [label for part in json.loads(told)["labels"] for label in [part["label"]] * part["steps"]]
    assert labels == [NAMES[number] for number in found]
    assert json.loads(refused) == {"line": 2, "text": ""}
    assert "it is no JSON of an array of 39 features a step" in capsys.readouterr().err
