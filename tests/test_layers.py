"""What is said of a system as its training begins."""

from pipelines.training.layers import described
from rnn_lightning import SequenceClassifier, count_parameters


def test_every_layer_has_a_line_with_its_parameters() -> None:
    system = SequenceClassifier(rnn={"cell": "lstm", "hidden_size": 4}, input_size=2)
    first, *lines = described("adding lstm seed 1", system).splitlines()
    assert first == f"adding lstm seed 1: SequenceClassifier, {count_parameters(system):,} parameters"
    outer = [line for line in lines if not line.startswith("    ")]
    assert sum(int(line.split()[-1].replace(",", "")) for line in outer) == count_parameters(system)
    assert len({len(line) for line in lines}) == 1, "the numbers stand below each other"
