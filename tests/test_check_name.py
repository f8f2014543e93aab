"""A name that a training of other settings has is refused, with what differs; keys of earlier versions are no others."""

from pathlib import Path

import pytest

from pipelines.settings.compose import compose
from pipelines.training.checks import check_name
from rnn_lightning.files import write_json


def test_the_keys_of_earlier_versions_are_no_other_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    experiment = compose(["task=adding", "seed=1", "name=mine"])
    stored = experiment.plain(1)
    stored["trainer"]["every_seconds"] = stored["trainer"].pop("checkpoint_seconds")
    experiment.trained(1).mkdir(parents=True)
    write_json(experiment.trained(1) / "training.json", {"config": stored})
    check_name(experiment, 1, {"config": experiment.plain(1)})
    other = {**experiment.plain(1), "rnn": {"cell": "gru"}}
    with pytest.raises(ValueError, match=r"of other settings \(rnn.cell was 'lstm', is 'gru'.*\): give another name"):
        check_name(experiment, 1, {"config": other})
