"""What finished runs remember, side by side: ``python -m pipelines.microscope run=runs/adding/elman/1 run=runs/adding/lstm/1``.

Of each run, on rows of its validation split: the gradient of the loss at a row's last step with respect to the states before,
how many steps back it reaches (until it falls below a ``share`` of its largest), the shares of gates below 0.1 and above 0.9,
the largest singular values from state to state, and the share of batches whose gradient is clipped. All of it is in
``reports/microscope/TASK-RNN-SEED.json``, and in the picture ``reports/microscope/microscope.png``.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from pipelines.settings.base import Settings, validate
from pipelines.settings.compose import exit_on_user_error
from pipelines.settings.keywords import refuse
from pipelines.settings.overrides import check_once, parse
from pipelines.settings.usage import keys_of

if TYPE_CHECKING:
    from pipelines.runs.folders import Run
    from pipelines.settings.schema import Experiment

REPORTS = Path("reports/microscope")


class Look(Settings):
    """Which runs are looked at, and how."""

    run: list[str] = Field(min_length=1, description="the folder of an evaluated run; given once or more")
    rows: int = Field(default=64, ge=1, le=10_000)
    share: float = Field(default=0.1, gt=0, lt=1)


def read_words(words: Sequence[str]) -> Look:
    """The settings KEY=VALUE, of which ``run=FOLDER`` may be given more than once.

    Raises:
        ValueError: for what is none, or given twice.
    """
    check_once([*dict.fromkeys(word for word in words if not word.startswith("run="))])
    others = [parse(word) for word in words if not word.startswith("run=")]
    runs = list(dict.fromkeys(word.removeprefix("run=").rstrip("/") for word in words if word.startswith("run=")))
    if not runs or not all(runs):
        raise ValueError("run=FOLDER must name the folder of an evaluated run, once or more, such as runs/adding/lstm/1")
    return validate(Look, {"run": runs} | {each.key_or_group: each.value() for each in others})


class Opened(NamedTuple):
    """A run that can be looked at: its folder, itself, its settings, and its system."""

    folder: Path
    run: "Run"
    experiment: "Experiment"
    system: Any


def open_runs(folders: Sequence[str]) -> list[Opened]:
    """The runs in ``folders``.

    Raises:
        ValueError: a line for each that cannot be looked at.
    """
    opened, wrong = [], []
    for folder in folders:
        try:
            opened.append(open_run(Path(folder)))
        except (ValueError, OSError) as error:
            wrong += str(error).splitlines()
    refuse(wrong)
    return opened


def open_run(folder: Path) -> Opened:
    """The run in ``folder``.

    Raises:
        ValueError: where the folder holds no run, its data are not there or others, or its network reads both ways.
    """
    from pipelines.measuring.measure import load_trained
    from pipelines.runs.cards import card_of
    from pipelines.runs.folders import given_run
    from pipelines.settings.schema import Experiment
    from rnn_lightning.microscope.examine import network_of

    run = given_run(folder)
    experiment = validate(Experiment, {**run.config, "seeds": 1, "workers": 1})
    if (here := card_of(experiment)["sha256"]["all"]) != run.data:
        raise ValueError(f"{folder} has learnt from data {run.data[:12]}, and {here[:12]} is what is there now: train again")
    system = load_trained(experiment, folder)
    try:
        network_of(system)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None
    return Opened(folder, run, experiment, system)


def look_at(opened: Opened, look: Look) -> tuple[str, dict[str, Any]]:
    """What a run is called, and what is seen of it, in plain values.

    Raises:
        ValueError: where there is no row to look at.
    """
    from rnn_lightning.microscope import examine

    folder, run, experiment, system = opened
    data = experiment.task.data.build(folder=experiment.processed())
    data.setup("validate")
    clip = {"clip": experiment.task.training.clip or None, "clipped_by": experiment.trainer.gradient_clip_algorithm}
    try:
        found = examine(system, data.val_dataloader(), rows=look.rows, **clip)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None
    gates = {name: {"below": low, "above": high} for name, (low, high) in found.gates.items()}
    name = f"{experiment.task_name}-{run.folder_name}-{run.seed}"
    return name, {
        **{"run": str(folder), "task": experiment.task_name, "rnn": run.label, "rows": look.rows, "share": look.share},
        **{"horizon": found.horizon(look.share), "steps": len(found.gradient_norms)},
        **found._asdict(),
        "gates": gates,
    }


def line_of(seen: dict[str, Any]) -> str:
    """What is seen of a run, in a line."""
    back, steps = seen["horizon"], seen["steps"]
    bound = f"{seen['share']:.0%} of its largest norm"
    reach = f"falls below {bound} {back} step{'s' if back > 1 else ''} back"
    reach = reach if back < steps else f"stays above {bound} over all {steps} steps"
    parts = [f"the gradient {reach}", f"largest singular value {seen['singular_values'][0]:.3f}"]
    parts += [f"{gate} gate {of['below']:.0%} closed, {of['above']:.0%} open" for gate, of in seen["gates"].items()]
    clipped = seen["clipped_share"]
    return "; ".join([*parts, *([] if clipped is None else [f"{clipped:.0%} of batches clipped"])])


def microscope(words: Sequence[str]) -> None:
    """Look at the runs that the ``words`` name, and keep what is seen."""
    look = read_words(words)
    from pipelines.display.memory import draw_memory
    from rnn_lightning.files import write_json

    seen = dict(look_at(opened, look) for opened in open_runs(look.run))
    REPORTS.mkdir(parents=True, exist_ok=True)
    for name, each in seen.items():
        write_json(REPORTS / f"{name}.json", each)
        print(f"{each['run']}: {line_of(each)}")
    draw_memory(seen, REPORTS / "microscope.png")
    print(f"{REPORTS}/ has the numbers, and the picture microscope.png", file=sys.stderr)


if __name__ == "__main__":
    exit_on_user_error(lambda: microscope(sys.argv[1:]), keys=lambda: keys_of(Look), resumes=False)
