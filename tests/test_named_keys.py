"""What a constructor refuses is named by its key on the command line, where only one can be meant."""

import re
from pathlib import Path

import pytest

from pipelines.settings.compose import compose
from pipelines.settings.keywords import by_their_keys
from pipelines.training.building import build_system


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rnn=gru task.model.optimizer.lr=-1", "task.model.optimizer.lr must be a finite number of at least 0, not -1"),
        ("rnn=gru task.model.optimizer.eps=-1", "task.model.optimizer 'adam': Invalid epsilon value: -1"),
        (
            "rnn=gru task.model.schedule={name: warmup,steps: 0}",
            "task.model.schedule.steps must be a whole number of at least 1",
        ),
        ("rnn=gru task.model.dropout=2", "task.model.dropout must be a number in [0, 1), not 2"),
        ("rnn=gru rnn.dropout=2", "rnn.dropout must be a number in [0, 1), not 2"),
        ("rnn=gru rnn.dropout=2 task.model.dropout=0.2", "rnn.dropout must be a number in [0, 1), not 2"),
        ("rnn=gru task.rnn.num_layers=0", "task.rnn.num_layers must be a whole number of 1 to 1000, not 0"),
        ("rnn=mlstm rnn.heads=-1", "rnn.heads must be a whole number of at least 1, not -1"),
        ("rnn=gru task.data.batch_size=0", "task.data.batch_size must be a whole number of at least 1, not 0"),
        ("rnn=gru task.corpus.steps=0", "task.corpus.steps must "),
    ],
)
def test_what_a_constructor_refuses_is_named_by_its_key(words: str, said: str) -> None:
    experiment = compose(["task=adding", *re.split(r" (?=rnn|task)", words)])
    with pytest.raises(ValueError) as refused:
        experiment.task.corpus.build()
        experiment.task.data.build(folder=Path("nowhere"))
        build_system(experiment, {}, planned=9)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("heads must be 1 for the cell 'lstm', not 5", "heads must be 1 for"),  # one of two, of which one has no key
        ("width must be a number, not 2.5", "task.model.width must"),
        ("width must be a number, not 2", "task.model.characters.width must"),
        ("layers must be 1, not 7", "layers must be 1"),
    ],
)
def test_a_refusal_that_may_be_of_several_keys_names_none(said: str, named: str) -> None:
    model = {"characters": {"rnn": {"heads": 5, "layers": 7}, "width": 2}, "layers": 7, "width": 2.5}
    with pytest.raises(ValueError) as refused, by_their_keys({"task.model": model}, {"rnn": {"heads": 5}}):
        raise ValueError(said)
    assert str(refused.value).startswith(named)
