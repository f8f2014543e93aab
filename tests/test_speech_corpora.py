"""Speech: frames, transcripts and classes against plain loops; what is damaged is left out by name."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import soundfile
from corpora import TINY, cut_rows, processed

from rnn_lightning.audio import Spectra
from rnn_lightning.corpora import SPLITS, CorpusError, FramewiseSpeech, SpokenClasses, TranscribedSpeech
from rnn_lightning.corpora.signals import samples_of

RATE = 8000
SPECTRA = {"sampling_rate": RATE, "kind": "log_mel", "mels": 5, "deltas": 0}
Columns = dict[str, dict[str, Any]]


def samples(seed: int, seconds: float = 0.2) -> np.ndarray:
    return (np.random.default_rng(seed).integers(-9000, 9000, round(RATE * seconds)) / 2**15).astype(np.float32)


def wav(values: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, values, rate, format="WAV", subtype=subtype)
    return buffer.getvalue()


def segments(*parts: tuple[str, float, float]) -> list[dict[str, Any]]:
    return [{"phoneme": name, "start": start, "end": end} for name, start, end in parts]


SAID = {
    "train": [segments(("a", 0, 0.05), ("b", 0.05, 0.2)), segments(("b", 0, 0.1), ("a", 0.1, 0.15)), segments(("a", 0, 0.2))],
    "validation": [segments(("b", 0, 0.2))],
    "test": [segments(("a", 0, 0.1), ("b", 0.1, 0.2)), segments(("b", 0, 0.2))],
}


def columns(**damage: bytes | None) -> Columns:
    """Sounds with segments, words, a number, a speaker and a group each; ``damage`` replaces the sound of a row of test."""
    table: Columns = {}
    for at, split in enumerate(SPLITS):
        rows = len(SAID[split])
        sounds = [damage.get(f"{split}{row}", wav(samples(10 * at + row))) for row in range(rows)]
        table[split] = {
            "audio": pyarrow.array([{"bytes": data, "path": None} for data in sounds]),
            "id": pyarrow.array([f"{split}-{row}" for row in range(rows)]),
            "phonemes": pyarrow.array(SAID[split]),
            "text": pyarrow.array(
                [" ".join(["yes", "no"][(row + place) % 2] for place in range(row + 1)) for row in range(rows)]
            ),
            "label": pyarrow.array([row % 2 for row in range(rows)]),
            "speaker": pyarrow.array(["x" if row else "y" for row in range(rows)]),
            "subset": pyarrow.array(["test_old" if row else "test_new" for row in range(rows)]),
        }
    return table


def framewise(**more: Any) -> FramewiseSpeech:
    return FramewiseSpeech(**{**TINY, "spectra": SPECTRA, "row": "id", **more})


def test_a_frame_has_the_label_of_the_segment_that_its_centre_is_in(tmp_path: Path) -> None:
    card, arrays = processed(framewise(group="subset"), tmp_path, columns())
    assert card["classes"] == ["a", "b"] and card["input_size"] == 5 and card["spectra"]["sampling_rate"] == RATE
    for at, split in enumerate(SPLITS):
        rows = zip(cut_rows(arrays[split]), cut_rows(arrays[split], "target"), SAID[split], strict=True)
        for row, (inputs, targets, parts) in enumerate(rows):
            np.testing.assert_allclose(inputs, Spectra(**SPECTRA).features(samples(10 * at + row)), atol=1e-4)
            for frame, target in enumerate(targets):
                centre = frame * 0.01 + 0.0125
                told = [part["phoneme"] for part in parts if part["start"] <= centre < part["end"]] or [parts[-1]["phoneme"]]
                assert card["classes"][target] == told[0]
    assert (tmp_path / "processed/test.groups.txt").read_text() == "test_new\ntest_old\n"
    steps = arrays["train"]["inputs"].astype(np.float64)
    np.testing.assert_allclose(card["standardize"]["mean"], steps.mean(0), rtol=1e-5)


def test_the_columns_of_aligned_librispeech_can_be_read(tmp_path: Path) -> None:
    """gilkeyio/librispeech-alignments: other columns beside them, and the fields of a segment in another order."""
    table = columns()
    for split in SPLITS:
        own = {name: table[split][name] for name in ("subset", "id", "audio")}
        parts = [[dict(sorted(part.items())) for part in row] for row in SAID[split]]
        words = [[{"end": part["end"], "start": part["start"], "word": "x"} for part in row] for row in parts]
        said = {"sex": ["F"] * len(parts), "transcript": ["x y"] * len(parts), "words": words, "phonemes": parts}
        table[split] = own | {name: pyarrow.array(values) for name, values in said.items()}
    _, expected = processed(framewise(group="subset"), tmp_path / "own", columns())
    card, arrays = processed(framewise(group="subset"), tmp_path / "phonemes", table)
    assert card["classes"] == ["a", "b"]
    for split in SPLITS:
        assert all(np.array_equal(arrays[split][name], expected[split][name]) for name in expected[split])
    card, _ = processed(framewise(segments="words", label="word"), tmp_path / "words", table)
    assert card["classes"] == ["x"]


def test_speakers_are_brought_to_mean_0_each_by_their_own_numbers(tmp_path: Path) -> None:
    _, arrays = processed(framewise(per_speaker="speaker"), tmp_path, columns())
    for split in SPLITS:
        rows = cut_rows(arrays[split])
        for own in (rows[:1], rows[1:]):
            if own:
                np.testing.assert_allclose(np.concatenate(own).mean(0), 0, atol=1e-4)
                np.testing.assert_allclose(np.concatenate(own).std(0), 1, atol=1e-3)


def test_transcripts_are_characters_words_or_the_labels_of_segments(tmp_path: Path) -> None:
    told = {
        "character": {"text": "text"},
        "word": {"text": "text", "unit": "word"},
        "label": {"text": "phonemes", "label": "phoneme"},
    }
    expected = {"character": list("yes no"), "word": ["yes", "no"], "label": ["a", "b"]}
    for name, settings in told.items():
        corpus = TranscribedSpeech(**{**TINY, "spectra": SPECTRA, **settings})
        card, arrays = processed(corpus, tmp_path / name, columns())
        assert card["labels"] == ["<blank>", *sorted(set(expected[name]))]
        first = [card["labels"][label] for label in cut_rows(arrays["test"], "target")[1 if name != "label" else 0]]
        assert first == {"character": list("no yes"), "word": ["no", "yes"], "label": ["a", "b"]}[name]


def test_numbers_are_classes_by_the_names_that_are_given(tmp_path: Path) -> None:
    corpus = SpokenClasses(**{**TINY, "spectra": SPECTRA, "label": "label", "classes": ["zero", "one"]})
    card, arrays = processed(corpus, tmp_path, columns())
    assert card["classes"] == ["zero", "one"] and arrays["test"]["targets"].tolist() == [0, 1]


def test_a_validation_split_is_held_out_where_there_is_none(tmp_path: Path) -> None:
    told = {"text": "text", "unit": "word", "held_out": {"share": 0.34, "seed": 1}}
    table = columns()
    del table["validation"]
    card, arrays = processed(TranscribedSpeech(**{**TINY, "spectra": SPECTRA, **told}), tmp_path, table)
    assert card["source"]["held_out"]["share"] == 0.34
    assert [len(cut_rows(arrays[split])) for split in SPLITS] == [2, 1, 2]


DAMAGED: dict[str, tuple[bytes | None, str]] = {
    "none": (None, "it has no sound"),
    "no bytes": (b"", "it is no sound that can be read"),
    "empty": (wav(samples(1)[:0]), "it has no samples"),
    "nan": (wav(np.array([0.1, np.nan] * 400), subtype="FLOAT"), "sample 1 is nan"),
    "damaged": (wav(samples(1))[:-300], "it is cut short: it has 2944 of the 3244 bytes that it should have"),
    "header": (b"RIFF" + b"\0" * 40, "it is no sound that can be read"),
    "rate": (wav(samples(1), 16000), "its sampling rate is 16000 Hz, not 8000"),
    "stereo": (wav(np.stack([samples(1)] * 2, 1)), "it has 2 channels"),
    "short": (wav(samples(1, 0.01)), "it lasts 0.010 s, less than a window of 0.025 s"),
}


def test_an_ogg_file_is_read_whole_or_not_at_all() -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples(1, 3.0), RATE, format="OGG")
    data = buffer.getvalue()
    assert len(samples_of(data, RATE)) == 3 * RATE
    for part in np.linspace(0.05, 0.999, 25):
        with pytest.raises(ValueError, match="it is cut short: its last page is not whole, or not marked as the last"):
            samples_of(data[: int(len(data) * part)], RATE)
    last = data.rindex(b"OggS")
    with pytest.raises(ValueError, match="it is cut short"):
        samples_of(data[:last], RATE)


@pytest.mark.parametrize("name", DAMAGED)
def test_one_bad_sound_is_named_and_left_out_up_to_a_share(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, said = DAMAGED[name]
    table = columns(train1=data)
    card, arrays = processed(framewise(most_left_out=0.5, group="subset"), tmp_path, table)
    assert card["left_out"] == {"train": 1, "validation": 0, "test": 0} and len(cut_rows(arrays["train"])) == 2
    told = capsys.readouterr().err
    assert "row train-1 of " in told and said in told
    assert (tmp_path / "processed/train.groups.txt").read_text() == "test_new\ntest_old\n"
    with pytest.raises(CorpusError, match="1 of 3 rows cannot be read, the last row train-1 of"):
        framewise().preprocess(tmp_path / "raw", tmp_path / "processed")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([], "it has no segments"),
        (segments(("a", 0, 0.1), ("b", 0.05, 0.2)), "its segments overlap or are out of order"),
        (segments(("a", 0.1, 0.0)), "its segments overlap or are out of order"),
    ],
)
def test_segments_that_are_none_are_refused(parts: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        framewise().answer(parts, 4)


def test_a_size_that_the_writer_did_not_know_is_none(tmp_path: Path) -> None:
    piped = wav(samples(1))
    piped = piped[:4] + b"\xff" * 4 + piped[8:40] + b"\xff" * 4 + piped[44:]
    _, told = processed(framewise(), tmp_path / "piped", columns(train1=piped))
    _, expected = processed(framewise(), tmp_path / "plain", columns())
    np.testing.assert_array_equal(told["train"]["inputs"], expected["train"]["inputs"])


def test_silence_is_kept_and_finite(tmp_path: Path) -> None:
    _, arrays = processed(framewise(), tmp_path, columns(train1=wav(np.zeros(1600))))
    rows = cut_rows(arrays["train"])
    assert len(rows) == 3 and np.isfinite(rows[1]).all() and (rows[1] == rows[1][:1]).all()


def test_a_row_without_a_transcript_is_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = columns()
    table["train"]["text"] = pyarrow.array(["yes", "", None])
    table["test"]["text"] = pyarrow.array(["yes", "yes"])
    corpus = TranscribedSpeech(
        **{**TINY, "spectra": SPECTRA, "text": "text", "unit": "word", "row": "id", "most_left_out": 0.7}
    )
    card, arrays = processed(corpus, tmp_path, table)
    assert card["left_out"] == {"train": 2, "validation": 0, "test": 0} and len(cut_rows(arrays["train"])) == 1
    told = capsys.readouterr().err
    assert "row train-1 of " in told and "row train-2 of " in told and told.count("it has no transcript") == 2


@pytest.mark.parametrize("text", ["", None])
def test_an_empty_transcript_is_refused(text: str | None) -> None:
    with pytest.raises(ValueError, match="it has no transcript"):
        TranscribedSpeech(**{**TINY, "spectra": SPECTRA, "text": "text"}).answer(text, 4)


def test_a_unit_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unit must be one of \('character', 'word'\), not 'syllable'"):
        TranscribedSpeech(**{**TINY, "spectra": SPECTRA, "text": "text", "unit": "syllable"})


def test_a_data_set_with_a_column_of_sounds_is_divided() -> None:
    """As ``datasets`` loads it from the Hub: its sounds would be decoded."""
    from datasets import Audio, Dataset, Features, Value

    plain = Features({"audio": {"bytes": Value("binary"), "path": Value("string")}, "label": Value("string")})
    rows = Dataset.from_dict({"audio": [{"bytes": b"RIFF", "path": None}], "label": ["a"]}, features=plain)
    parts = dict.fromkeys(SPLITS, rows.cast_column("audio", Audio(sampling_rate=8000)))
    corpus = SpokenClasses(**TINY, label="label", spectra={"sampling_rate": 8000})
    assert list(corpus.divided(parts)) == list(parts)
