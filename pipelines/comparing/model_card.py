"""The model card of a finished run, ``README.md`` of a shared model: what it is, its data, what it scored, how it is loaded."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.comparing.summary import Row, as_markdown, digits_of, references_table
from pipelines.display.numbers import duration, number, short
from pipelines.runs.configurations import identity
from pipelines.runs.folders import Run, read_run
from pipelines.settings.places import CONF
from pipelines.settings.tasks import Task, read_card, task_of_runs
from rnn_lightning.files import check_sums, read_json
from rnn_lightning.items.folders import read_description

RECORD = ("training.json", "metrics.json")
PLACE = "OWNER/NAME"
TASKS = {
    "forecasts": "time-series-forecasting",
    "language": "text-generation",
    "regression": "tabular-regression",
    "tagging": "token-classification",
    "translation": "translation",
    "values": "tabular-regression",
    "classification text": "text-classification",
    "classification sound": "audio-classification",
    "classification picture": "image-classification",
    "frames sound": "audio-classification",
    "recognition sound": "automatic-speech-recognition",
    "recognition picture": "image-to-text",
    "transcription sound": "automatic-speech-recognition",
    "transcription picture": "image-to-text",
}
"""The Hub's names of tasks, by the predictor alone or with what it reads; the Hub has none for the others."""


class Record(NamedTuple):
    """What is known of a run: itself and those that differ by the seed alone, its task, the card of its data (empty where
    that is not here, or of other data), and the Hub's name of what it does."""

    run: Run
    row: Row
    task: Task
    data: dict[str, Any]
    does: str | None


def model_card(
    folder: Path, *, conf: Path = CONF, data: Path = Path("data"), place: str | None = None, licence: str | None = None
) -> str | None:
    """The model card of the evaluated run in ``folder``; ``None`` where the folder has no record of a training.

    Args:
        conf: where the task is, if the run does not say all of it.
        data: where the processed data are, whose card tells their source.
        place: ``OWNER/NAME`` where the model will be.
        licence: of the model, as the Hub names it; ``None``: that of the data.

    Raises:
        ValueError: where a file of the record is damaged.
    """
    if not all((folder / name).exists() for name in RECORD):
        return None
    record = read_record(folder, conf, data)
    sections = (*head(record), *of_data(record), *of_results(record), *use(place or PLACE), *limits(record), *again(record))
    return f"---\n{header(record, licence)}\n---\n\n" + "\n\n".join(sections) + "\n"


def read_record(folder: Path, conf: Path, data: Path) -> Record:
    """What is known of the run in ``folder`` and of its ``data``."""
    check_sums(folder, RECORD, again="evaluate the run again")
    training = read_json(folder / "training.json")
    run = Run.of(training | {"metrics": read_json(folder / "metrics.json")})
    card = read_card(data, training["task"])
    if card.get("sha256", {}).get("all") != run.data:
        card = {}
    task = task_of_runs(conf, training["task"], [run.config], card)
    description = read_description(folder)
    predictor, inputs = description["predictor"], description.get("inputs", {}).get("name")
    does = TASKS.get(predictor, TASKS.get(f"{predictor} {inputs}"))
    return Record(
        run, Row(run.label, sorted([run, *siblings(folder, run)], key=lambda each: each.seed), task), task, card, does
    )


def siblings(folder: Path, run: Run) -> Iterator[Run]:
    """The finished runs beside that of ``folder`` which differ by the seed alone."""
    for other in sorted(folder.resolve().parent.iterdir()):
        with contextlib.suppress(ValueError):  # is not finished
            found = read_run(other)
            if (found.data, identity(found.config)) == (run.data, identity(run.config)) and found.seed != run.seed:
                yield found


def header(record: Record, licence: str | None) -> str:
    """The metadata that the Hub reads, in YAML."""
    from huggingface_hub import EvalResult, ModelCardData

    repository, results = repository_of(record), []
    for name, value in sorted(record.run.metrics.items()):
        results.append(
            EvalResult(
                task_type=record.does or "other",
                dataset_type=repository or record.task.name,
                dataset_name=record.task.title,
                dataset_split="test",
                dataset_revision=record.data.get("source", {}).get("commit"),
                metric_type=name.removeprefix("test/"),
                metric_value=value,
            )
        )
    return ModelCardData(
        library_name="rnn-lightning",
        pipeline_tag=record.does,
        license=licence or licence_of(record.data),
        datasets=[repository] if repository else None,
        metrics=[result.metric_type for result in results],
        tags=["pytorch", "rnn", str(record.run.config["rnn"].get("cell", record.run.rnn))],
        model_name=f"{record.task.name}-{record.run.folder_name}-{record.run.seed}",
        eval_results=results,
    ).to_yaml()


def licence_of(data: Mapping[str, Any]) -> str:
    """The licence of the ``data``, as the Hub names it, ``unknown`` where their card tells none."""
    licence = data.get("licence") or "unknown"
    if isinstance(licence, list):
        return str(licence[0]).lower() if len(licence) == 1 else "other"
    return str(licence).lower()


def repository_of(record: Record) -> str | None:
    """The data set on the Hub that the run has learned from."""
    return record.run.config.get("task", {}).get("corpus", {}).get("repository")


def head(record: Record) -> Iterator[str]:
    run = record.run
    yield f"# {run.label}: {record.task.title}"
    yield record.task.description.strip()
    cost = f"{short(run.parameters)} parameters, trained in {run.steps:,} steps and {duration(run.seconds)} on {run.hardware}"
    computed = f"; weights: {run.averaging}" if run.averaging else ""
    computed += f"; computed in: {run.computed_in}" if run.computed_in else ""
    yield f"{run.label}, seed {run.seed}: {cost} ({run.precision}{computed})."


def of_data(record: Record) -> Iterator[str]:
    yield "## Data"
    corpus, card = record.run.config.get("task", {}).get("corpus", {}), record.data
    source = card.get("source", {})
    if repository := repository_of(record):
        asked = f"configuration {corpus.get('config')}, revision {source.get('commit') or corpus.get('revision')}"
        yield f"[{repository}](https://huggingface.co/datasets/{repository}), {asked}."
    elif card:
        facts = [f"{key} {value}" for key, value in source.items() if key not in ("files", "licence")]
        yield f"{card['title']}: {', '.join(facts)}."
    if card:
        yield f"Licence of the data: {card['licence'] or 'not told'}."
        columns = [
            key for key in ("documents", "rows", "tokens", "steps") if any(key in part for part in card["splits"].values())
        ]
        yield as_markdown(
            [
                ["split", *columns],
                *([name, *(f"{part.get(key, 0):,}" for key in columns)] for name, part in card["splits"].items()),
            ]
        )
    yield f"SHA-256 of the processed data: `{record.run.data}`."


def of_results(record: Record) -> Iterator[str]:
    yield "## Results"
    seeds = [run.seed for run in record.row.runs]
    judged, run = record.task.metric.name, record.run
    names = [judged, *sorted(set(run.metrics) - {judged})]
    several = len(seeds) > 1
    heading = ["metric of the test split", f"this model (seed {run.seed})"]
    heading += [f"mean of {len(seeds)} seeds (95%)"] if several else []
    spreads = {name: record.row.spread(name) for name in names}
    cells = [[name, number(run.metrics[name])] for name in names]
    yield as_markdown(
        [heading, *([*cell, *([spreads[cell[0]].shown(digits_of([spreads[cell[0]]]))] if several else [])] for cell in cells)]
    )
    yield f"{judged} judges the task. Seeds of this configuration: {', '.join(map(str, seeds))}." + (
        "" if several else " One run says nothing of the spread over seeds."
    )
    if record.task.references:
        yield as_markdown(references_table(record.task))


def use(place: str) -> Iterator[str]:
    yield "## Use"
    yield f"```sh\npip install rnn-lightning[hub]\nrnn predict run=hub:{place} < lines\n```"
    yield f'```python\nfrom rnn_lightning import load_predictor\n\npredict = load_predictor("hub:{place}")\n```'
    yield "Weights are read as safetensors, and no code of this repository is run."


def limits(record: Record) -> Iterator[str]:
    yield "## Limits"
    splits, found = record.data.get("splits", {}), []
    longest = splits.get("train", {}).get("lengths", {}).get("100")
    if longest:
        found.append(f"- The longest {splits['train']['lengths']['of']} of the training split has {longest:,} steps.")
    test = splits.get("test", {})
    if test.get("unknown_rate") is not None:
        found.append(f"- {test['unknown_rate']:.2%} of the test split's tokens are unknown to the model.")
    if test.get("share_seen_in_train") is not None:
        found.append(f"- {test['share_seen_in_train']:.2%} of the test split's items are in the training split too.")
    found.append("- It was measured on the test split of its own data alone; other data may be harder.")
    yield "\n".join(found)


def again(record: Record) -> Iterator[str]:
    yield "## Train it again"
    yield f"At commit `{record.run.commit}`:"
    yield f"```sh\n{record.run.command}\n```"
