"""Pictures of words from a corpus: whatever these are, they are shown as they are, in a picture of a limited size; none ends a
run."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image

from pipelines.display import plotting
from pipelines.kinds import pictures, signal_figures
from pipelines.kinds.pictures import Attended, attention_map, attention_maps, confusion

STRANGE = [
    "$$",
    "$x$",
    "$\\frac{$",
    "a\nb",
    "\\",
    "_",
    "",
    "\t",
    "猫",
    "हिन्दी",
    "🙂",
    "\u202e",
    "<b>&amp;",
    "%",
    "x" * 5000,
    "\x07",
]


def drawn(file: Path) -> np.ndarray:
    points = image.imread(file)[:, :, :3]
    assert points.std() > 0.01
    return points


@pytest.mark.parametrize("strange", [STRANGE[:8], STRANGE[8:]])
def test_words_are_no_markup(strange: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, values = [strange[0], *strange], np.random.default_rng(0).random((9, 9))
    picture = signal_figures.Picture(np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32), "feature")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attention_map(values.astype(np.float32), words, words, tmp_path / "attention.png")
        confusion((10 * values).astype(np.int64), words, tmp_path / "confusion.png")
        signal_figures.utterance(picture, strange, ["b"] * 8, tmp_path / "utterance.png")
        signal_figures.pen_words([(np.ones((2, 4), np.float32), word, "a") for word in strange], tmp_path / "strokes.png")
        labels, aligned = ["", *strange], [(number, number - 1.0) for number in range(1, 9)]
        file = tmp_path / "alignment.png"
        signal_figures.alignment(picture, np.ones((9, 9), np.float32), labels, blank=0, aligned=aligned, file=file)
    assert capsys.readouterr().err == ""
    for name in ("attention", "confusion", "utterance", "strokes", "alignment"):
        drawn(tmp_path / f"{name}.png")


def test_pictures_have_a_limit_of_size_and_say_what_they_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    titles: list[str] = []
    monkeypatch.setattr(pictures, "save", titles_and_save(titles))
    monkeypatch.setattr(signal_figures, "save", titles_and_save(titles))
    files = [tmp_path / f"{number}.png" for number in range(4)]
    attention_map(np.zeros((500, 300), np.float32), ["a"] * 300, ["b"] * 500, files[0])
    confusion(np.eye(400, dtype=np.int64), [f"class {number}" for number in range(400)], files[1])
    picture = signal_figures.Picture(np.zeros((9000, 4), np.float32), "feature")
    signal_figures.utterance(picture, ["a"] * 9000, ["a"] * 9000, files[2])
    values = np.full((3000, 2), 0.5, np.float32)
    signal_figures.alignment(picture, values, ["", "a"], blank=0, aligned=[(1, 5.0), (1, 2500.0)], file=files[3])
    assert titles == [
        "the first 60 of 300 source and 60 of 500 target tokens",
        "the 60 of 400 classes with the most errors",
        "the first 2000 of 9000 steps",
        "the first 2000 of 3000 steps",
    ]
    assert all(max(drawn(file).shape) < 3600 for file in files)


def titles_and_save(titles: list[str]) -> Callable[[plotting.Figure, Path], Path]:
    def keep(figure: plotting.Figure, file: Path) -> Path:
        titles.append(figure.axes[0].get_title(loc="left"))
        return plotting.save(figure, file)

    return keep


def test_panels_have_cells_of_one_size_and_room_for_signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = Attended(np.full((4, 9), 0.1, np.float32), list("abcdefghi"), list("abc "), "line 1")
    small = Attended(np.full((2, 3), 0.1, np.float32), list("abc"), ["a", "b"], "line 2")
    sizes: list[list[float]] = []

    def measured(figure: plotting.Figure, file: Path) -> Path:
        figure.canvas.draw()
        boxes = [axes.get_window_extent().width / (axes.get_xlim()[1] - axes.get_xlim()[0]) for axes in figure.axes]
        sizes.append(boxes)
        assert figure.axes[0].get_yticklabels()[3].get_text() == pictures.BLANK
        return plotting.save(figure, file)

    monkeypatch.setattr(pictures, "save", measured)
    attention_maps([wide, small], tmp_path / "both.png")
    assert sizes[0][0] == pytest.approx(sizes[0][1], rel=0.01)
    monkeypatch.undo()
    attention_maps([Attended(np.full((2, 5000), 0.1, np.float32), None, ["1", "<blank>"])] * 12, tmp_path / "signals.png")
    assert max(drawn(tmp_path / "signals.png").shape) < 3600


def test_a_short_text_is_shown_whole_without_a_title(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    titles: list[str] = []
    monkeypatch.setattr(pictures, "save", titles_and_save(titles))
    attention_map(np.zeros((3, 2), np.float32), ["a", "b"], ["a", "b", "c"], tmp_path / "attention.png")
    assert titles == [""]


@pytest.mark.parametrize("error", [ValueError("two\nlines"), MemoryError(), OSError(28, "No space left on device")])
def test_a_picture_that_fails_costs_one_line(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(figure: plotting.Figure, file: Path) -> Path:
        raise error

    monkeypatch.setattr(pictures, "save", fail)
    (tmp_path / "attention.png").write_bytes(b"of an earlier step")
    attention_map(np.zeros((1, 1), np.float32), ["a"], ["b"], tmp_path / "attention.png")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: there is no attention.png, it cannot be drawn: {type(error).__name__}: ")
    assert not (tmp_path / "attention.png").exists() and not plotting.plt.get_fignums()
