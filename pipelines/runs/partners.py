"""The runs that the test of another searches with: an ensemble of encoder-decoders, a language model (shallow fusion)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.runs.folders import Run, read_run
from rnn_lightning.checks import check_names, shown
from rnn_lightning.files import DamagedError, sha256

KEY = "task.metric.search"
CHECKPOINT = "model.ckpt"


def partners_of(search: Mapping[str, Any], data: str | None) -> list[dict[str, Any]]:
    """What the record of a run keeps of each of the other runs that its ``search`` names: how it takes part (``role``), its
    folder, the SHA-256 of its weights and of its data, its commit and its cost; of a language model also its weight.

    Args:
        data: the hash of the processed corpus that the run has learnt from; ``None``: it is not compared.

    Raises:
        ValueError: for what is no evaluated run, is evaluated together with others itself, or, of an ensemble, has learnt from
            other data.
    """
    folders, fusion = search.get("ensemble"), search.get("fusion")
    made = []
    if folders is not None:
        check_names(f"{KEY}.ensemble", folders)
        made += [_partner("ensemble", folder, data) for folder in folders]
    if isinstance(fusion, Mapping) and "run" in fusion:
        made.append({**_partner("fusion", fusion["run"], None), "weight": fusion.get("weight")})
    return made


def names_others(search: Mapping[str, Any]) -> bool:
    """Whether a ``search`` names other runs."""
    fusion = search.get("fusion")
    return "ensemble" in search or (isinstance(fusion, Mapping) and "run" in fusion)


def _partner(role: str, folder: Any, data: str | None) -> dict[str, Any]:
    key = f"{KEY}.{role}"
    if not isinstance(folder, str):
        raise ValueError(f"{key} must name the folder of an evaluated run, such as runs/dates/gru/1, not {shown(folder)}")
    try:
        run = read_run(Path(folder))
    except DamagedError:
        raise
    except ValueError as error:
        raise ValueError(f"{key}: {folder} {error}: give the folder of an evaluated run, such as runs/dates/gru/1") from None
    if run.partners:
        raise ValueError(f"{key}: {folder} was itself evaluated together with other runs: name each of them alone")
    if data not in (None, run.data):
        advice = "an ensemble is of runs of one corpus, name such runs"
        raise ValueError(f"{key}: {folder} has learnt from data {run.data[:12]}, and this run from {data[:12]}: {advice}")
    cost = {"parameters": run.parameters, "seconds": run.seconds}
    known = {"run": folder, "weights": sha256(Path(folder) / CHECKPOINT), "data": run.data, "commit": run.commit}
    return {"role": role, **known, **cost}


def check_different(weights: str, partners: Sequence[Mapping[str, Any]]) -> None:
    """Refuse an ensemble in which two runs have the same weights; ``weights`` are the SHA-256 of the first one's.

    Raises:
        ValueError: naming the second.
    """
    seen = {weights}
    for each in (each for each in partners if each["role"] == "ensemble"):
        if each["weights"] in seen:
            raise ValueError(f"{KEY}.ensemble: {each['run']} has the weights of another of its runs: name others")
        seen.add(each["weights"])


def check_unchanged(folder: Path, partners: Sequence[Mapping[str, Any]], search: Mapping[str, Any]) -> None:
    """Refuse a run in ``folder`` whose ``partners``, which its ``search`` names, have other weights now than in its test.

    Raises:
        ValueError: naming the first.
    """
    for known, now in zip(partners, partners_of(search, None), strict=True):
        if known["weights"] != now["weights"]:
            raise ValueError(f"{folder} was tested with other weights of {known['run']} than there are now: evaluate it again")


def together(run: Mapping[str, Any], partners: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What ``training.json`` says of a run that was evaluated with ``partners``: they, the parameters and the training time of
    all networks together, and a label that tells it from the run alone."""
    models = sum(each["role"] == "ensemble" for each in partners)
    words = [f"ensemble of {models + 1}"] if models else []
    words += [f"language model at {each['weight']:g}" for each in partners if each["role"] == "fusion"]
    costs = {name: run[name] + sum(each[name] for each in partners) for name in ("parameters", "seconds")}
    return {"partners": list(partners), "label": ", ".join([run["label"], *words]), **costs}


def architecture(run: Run) -> str:
    """The name that a run goes by in tables of architectures: that of its own, and how others took part in its test."""
    return "+".join(dict.fromkeys([run.rnn, *(each["role"] for each in run.partners)]))
