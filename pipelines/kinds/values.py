"""Regressors of sequences in the pipeline: values found beside the right ones.

Shapes: K targets, Q quantiles.
"""

from pathlib import Path

from pipelines.kinds.base import Kind
from pipelines.settings.schema import Experiment
from rnn_lightning import PairModule, SequenceRegressor
from rnn_lightning.sequences import Batch

VALUES = "values.txt"


class ValueKind(Kind[SequenceRegressor]):
    """Real numbers for each row, or for every step."""

    predictor = "values"

    def units_in(self, batch: Batch) -> int:
        return len(batch.targets)

    def test(self, experiment: Experiment, system: SequenceRegressor, data: PairModule, folder: Path) -> dict[str, float]:
        """Leaves the right values of each row and those found, quantiles one after the other; of every step nothing."""
        if system.every_step:
            return {}
        dataset, lines = data.dataset("test"), []
        for rows in dataset.as_stored():
            batch = system.transfer_batch_to_device(dataset[rows], system.device, 0)
            found = system.eval().regress(batch.inputs, batch.lengths).flatten(1).tolist()
            right = batch.targets.reshape(len(found), -1).tolist()
            pairs = zip(right, found, strict=True)
            lines += ["\t".join(" ".join(f"{value:.6g}" for value in side) for side in pair) for pair in pairs]
        (folder / VALUES).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return {}
