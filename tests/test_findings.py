"""The sentences that a report begins with, its intervals at the ends of a metric, and what it says was not run."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from run_folders import make_run, make_task, undrawn

from pipelines import compare as stage
from pipelines.comparing import findings
from pipelines.comparing.sections import Section
from pipelines.comparing.summary import NONE, bounds, spread
from pipelines.runs.folders import Expected

LOSSES = {"lstm": [2.0, 2.1, 2.3, 2.2], "gru": [2.1, 2.05, 2.4, 2.28], "elman": [3.0, 3.3, 3.1, 3.2]}


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    undrawn(monkeypatch)


def compare(project: Path, losses: dict[str, list[float]], *expected: Expected, name: str = "words") -> list[Section]:
    make_task(project, name, title=name.title())
    for rnn, values in losses.items():
        for seed, loss in enumerate(values):
            make_run(project, name, rnn, seed, {"test/loss": loss})
    folders = {"conf": project / "conf", "data": project / "data"}
    return stage.compare(project / "runs", project / "reports", **folders, expected=expected)


def test_the_best_is_named_with_how_significant_that_is(tmp_path: Path) -> None:
    (section,) = compare(tmp_path, LOSSES)
    by_other = {each.other: each.p for each in section.differences}
    assert float(by_other["Elman RNN (tanh)"] or 1) < 0.05 < float(by_other["GRU"] or 0)
    assert findings.sentences(section) == (
        "Words: LSTM is best, test/loss 2.15 ± 0.21, 0.058 less than GRU. It is significantly better than "
        f"Elman RNN (tanh) (p {findings._p(by_other['Elman RNN (tanh)'])}), not significantly better than "
        f"GRU (p {findings._p(by_other['GRU'])})."
    )


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ({"lstm": [2.0], "gru": [3.0]}, "is best, test/loss 2.000, 1.000 less than GRU. With one seed there is no test"),
        ({"lstm": [2.0, 2.1]}, "Words: LSTM alone was run, test/loss 2.05 ± 0.64."),
        ({}, "Words: nothing was run."),
    ],
)
def test_of_few_runs_little_is_said(tmp_path: Path, losses: dict[str, list[float]], said: str) -> None:
    (section,) = compare(tmp_path, losses, Expected("words", "gru", 0))
    assert said in findings.sentences(section)


def test_the_report_begins_with_what_was_found_and_ends_with_what_was_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(tmp_path, {"lstm": [1.0, 1.1]}, name="letters")
    sections = compare(tmp_path, LOSSES, Expected("words", "gru", 8), Expected("words", "gru", 9))
    text = (tmp_path / "reports/comparison.md").read_text()
    head = text.split("## ")[0]
    assert f"Made on {datetime.now(UTC):%Y-%m-%d} from 14 runs at commit 0123456789 on AMD EPYC, 2 cores." in head
    assert all(findings.sentences(section) in head for section in sections)
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.split(f"## {findings.NOT_RUN}\n")[1].split("\n")]
    assert lines[3:-1] == [
        ["Letters", "Elman RNN (tanh)", "", "was not planned"],
        ["Letters", "GRU", "", "was not planned"],
        ["Words", "GRU", "8, 9", "was not started"],
    ]
    assert "<h2>What was not run</h2>" in (tmp_path / "reports/comparison.html").read_text()
    assert all(findings.sentences(section) in capsys.readouterr().out for section in sections[:1])


def test_a_report_of_all_says_nothing_of_what_is_missing(tmp_path: Path) -> None:
    compare(tmp_path, LOSSES)
    assert findings.NOT_RUN not in (tmp_path / "reports/comparison.md").read_text()


@pytest.mark.parametrize(
    ("metric", "values", "shown"),
    [
        ("test/accuracy", [0.99, 1.0, 0.995], "0.995 (0.983 to 1.000)"),
        ("test/accuracy_unknown", [0.5, 0.6, 0.7], "0.600 ± 0.248"),
        ("test/macro_f1", [0.0, 0.1, 0.0], "0.033 (0.000 to 0.177)"),
        ("test/cer", [1.2, 1.3, 1.9], "1.467 ± 0.940"),
        ("test/mse", [0.0, 0.1, 0.2], "0.100 (0.000 to 0.348)"),
        ("test/loss", [0.0, 0.1, 0.2], "0.100 ± 0.248"),
        ("test/accuracy", [0.99], f"0.990 ± {NONE}"),
    ],
)
def test_an_interval_does_not_leave_the_range_of_its_metric(metric: str, values: list[float], shown: str) -> None:
    measured = spread(values, *bounds(metric))
    assert measured.shown(3) == shown
    assert measured.sides is None or all(side[0] >= 0 for side in measured.sides)
