"""The environment of a training: a record of each that it was in, and a warning where it goes on in another."""

from pathlib import Path

import pytest

from pipelines.runs.provenance import note_environment, versions


def test_a_training_that_goes_on_elsewhere_warns_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = versions()
    assert set(here) == {"python", "torch", "lightning", "numpy", "blas", "cpu_capability", "cpu_features"}
    assert note_environment(tmp_path, here) == note_environment(tmp_path, here) == [here]
    assert capsys.readouterr().err == ""
    other = here | {"cpu_capability": "OTHER"}
    assert note_environment(tmp_path, other) == [here, other]
    warned = capsys.readouterr().err
    assert warned.count("\n") == 1 and f"cpu_capability was {here['cpu_capability']!r}, is 'OTHER'" in warned
