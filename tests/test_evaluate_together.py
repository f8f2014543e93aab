"""Evaluation of several runs together: an ensemble, a language model; what the record says, and who takes it for one run."""

import json
import math
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from run_folders import store_run
from sacrebleu import corpus_bleu
from small_translations import LANGUAGE, evaluate, experiment_of, lines, metrics_of, translation_runs
from test_predict_search import ask

from pipelines.comparing import across, summary
from pipelines.evaluate import check_measured
from pipelines.measuring.measure import measure
from pipelines.results import store
from pipelines.runs.folders import Run, read_run, read_runs
from pipelines.runs.partners import check_unchanged
from pipelines.runs.stored_conf import check_config
from pipelines.settings.compose import compose
from pipelines.settings.tasks import task_of
from pipelines.tracking.best import register_best
from pipelines.tracking.finished import publish_model, servable
from pipelines.training.building import build_system
from rnn_lightning import PairModule, Seq2Seq
from rnn_lightning.export import export_run
from rnn_lightning.files import read_json, sha256, write_json, write_sums
from rnn_lightning.sequences import IGNORED


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    where = tmp_path_factory.mktemp("place")
    with translation_runs(where):
        yield where


@pytest.fixture(scope="module")
def two(place: Path) -> str:
    """The folder of the other run."""
    return str(evaluate("lstm", 2))


def test_a_search_of_the_evaluation_alone_is_in_the_record_of_its_run() -> None:
    before = (evaluate() / "training.json").read_bytes()
    folder = evaluate(beam_size=2, normalisation={"name": "gnmt"})
    run, facts = read_run(folder), read_json(folder / "training.json")
    assert run.config["task"]["metric"]["search"] == {"beam_size": 2, "max_length": 12, "normalisation": {"name": "gnmt"}}
    assert run.folder_name == folder.parent.name != evaluate().parent.name and "normalisation" in run.command
    assert compose(shlex.split(run.command)[3:]).run(1) == folder and not run.partners and facts["label"] == "GRU"
    assert (evaluate() / "training.json").read_bytes() == before
    with pytest.raises(ValueError, match=r"a search has beam_size, .*, stop, and no 'beam'"):
        evaluate(beam=3)


def test_an_ensemble_is_measured_as_its_networks_together(two: str) -> None:
    folder = evaluate(ensemble=[two])
    sources, references = lines("source"), lines("target")
    found = ask(f"[{evaluate()}, {two}]", *sources, max_length=12)
    metrics = metrics_of(folder)
    assert found == (folder / "translations.txt").read_text().splitlines()
    assert metrics["test/bleu"] == corpus_bleu(found, [references]).score
    assert metrics["test/accuracy"] == sum(map(str.__eq__, found, references)) / len(found)
    systems = [Seq2Seq.load_from_checkpoint(Path(one) / "model.ckpt").eval() for one in (evaluate(), two)]
    total, count = 0.0, 0
    for batch in PairModule("data/processed/dates", batch_size=7).test_dataloader():
        targets = systems[0].real_targets(batch)
        with torch.no_grad():
            memories = [one.encode(batch.inputs, batch.lengths) for one in systems]
            features = [one.teacher_forced(memory, targets).features for one, memory in zip(systems, memories, strict=True)]
            parts = [one.decoder.output(part) for one, part in zip(systems, features, strict=True)]
        mean = torch.stack([part.softmax(2) for part in parts]).mean(0)
        read = mean.gather(2, targets.clamp(min=0).unsqueeze(2)).squeeze(2)[targets != IGNORED]
        total, count = total - read.log().sum().item(), count + len(read)
    assert metrics["test/loss"] == pytest.approx(total / count, rel=1e-5)
    assert metrics["test/perplexity"] == pytest.approx(math.exp(total / count), rel=1e-4)


def test_the_record_names_the_runs_their_weights_and_the_cost_of_all(two: str) -> None:
    run = read_run(evaluate(ensemble=[two], fusion={"run": LANGUAGE, "weight": 0.25}))
    other, language = run.partners
    assert other["role"] == "ensemble" and other["run"] == two and other["weights"] == sha256(Path(two) / "model.ckpt")
    assert language["role"] == "fusion" and language["run"] == LANGUAGE and language["weight"] == 0.25
    assert run.label == "GRU, ensemble of 2, language model at 0.25"
    assert run.parameters == 1000 + 2000 + read_run(Path(LANGUAGE)).parameters and run.seconds == 60 + 120 + 91
    assert Run.of(json.loads(json.dumps(run.plain()))) == run
    with pytest.raises(ValueError, match=r"was tested together with .*, which no checkout has"):
        check_config(run)


def test_of_one_network_together_with_itself_all_metrics_are_its_own(place: Path) -> None:
    one = evaluate()
    experiment = experiment_of("gru", 1, ensemble=[str(one)])
    system = Seq2Seq.load_from_checkpoint(one / "model.ckpt").eval()
    found = measure(experiment, system, place)
    assert found == pytest.approx(metrics_of(one), rel=1e-4)


def test_fusion_at_weight_zero_changes_nothing_and_has_no_loss() -> None:
    plain, fused, other = (
        metrics_of(evaluate()),
        *(metrics_of(evaluate(fusion={"run": LANGUAGE, "weight": weight})) for weight in (0, 2.0)),
    )
    assert fused == {name: value for name, value in plain.items() if name not in ("test/loss", "test/perplexity")}
    assert other.keys() == fused.keys() and other != fused
    experiment = compose(["task=dates", "task.metric.name=test/loss", "seed=1"])
    with pytest.raises(ValueError, match=r"task.metric.name is test/loss, and the test measures test/bleu, .*: set it"):
        check_measured(experiment, fused)


def test_comparisons_keep_what_was_measured_together_apart(two: str, place: Path) -> None:
    alone, both = evaluate(), evaluate(ensemble=[two])
    finished, missing = read_runs(Path("runs"), "dates")
    task = task_of(experiment_of("gru", 1), {})
    rows = summary.rows(finished, task)
    assert not missing and sum(len(row.runs) for row in rows) == len(finished)
    of = {str(run.folder_name): row for row in rows for run in row.runs}
    row, own = of[both.parent.name], of[alone.parent.name]
    assert [run.seed for run in row.runs] == [1] and row.label.startswith("GRU, ensemble of 2") and row.rnn == "gru+ensemble"
    assert own.rnn == "gru" and all(not run.partners for run in own.runs)
    assert all(not each.runs[0].partners for each in across._own(task, [*rows, *rows]))
    kept = store(Path("runs"), place, "dates", {run.folder_name for run in finished})
    assert len(kept) == len(finished) and {run.label for run in kept} == {run.label for run in finished}


def test_who_passes_a_network_on_refuses_one_that_was_measured_together(two: str, place: Path, monkeypatch: Any) -> None:
    folder = evaluate(ensemble=[two])
    for passing_on in (servable, lambda one: export_run(one, place / "export")):
        with pytest.raises(
            ValueError, match=r"tested together with other runs \(search: ensemble\), which its folder does not"
        ):
            passing_on(folder)
    stored: list[Any] = []
    monkeypatch.setattr("pipelines.tracking.log_model", lambda *given, **_: stored.append(given))
    publish_model("run", folder)
    assert not stored
    monkeypatch.setattr("pipelines.tracking.best.publish_run", lambda folder, *_: stored.append(folder))
    monkeypatch.setattr("pipelines.tracking.best.publish_model", lambda *_, **__: None)
    better = replace(read_run(folder), metrics={"test/accuracy": 1.0})
    register_best(Path("runs"), [better, read_run(evaluate())], task_of(experiment_of("gru", 1), {}), {}, place)
    assert stored == [evaluate()]


def test_a_run_answers_as_it_was_measured(two: str) -> None:
    folder, sources = evaluate(ensemble=[two]), lines("source")
    assert ask(str(folder), *sources) == (folder / "translations.txt").read_text().splitlines()
    alone = (evaluate() / "translations.txt").read_text().splitlines()
    assert alone != ask(str(folder), *sources)


def changed_copy(folder: str, target: str, **facts: Any) -> str:
    """A copy of a run's ``folder`` with another seed's name, whose record has other ``facts``."""
    shutil.copytree(folder, target)
    seed = int(Path(target).name)
    write_json(Path(target) / "training.json", read_json(Path(target) / "training.json") | facts | {"seed": seed})
    write_sums(Path(target))
    return target


def test_runs_that_do_not_fit_are_refused(two: str, place: Path) -> None:
    one = str(evaluate())
    other_data = changed_copy(two, f"{Path(two).parent}/7", data="ab" * 32)
    other_words = changed_copy(two, f"{Path(two).parent}/8")
    tokenizer = read_json(Path(other_words) / "target_tokenizer.json")
    tokenizer["model"]["vocab"] |= {"0": tokenizer["model"]["vocab"]["1"], "1": tokenizer["model"]["vocab"]["0"]}
    write_json(Path(other_words) / "target_tokenizer.json", tokenizer)
    write_sums(Path(other_words))
    for search, said in (
        ({"ensemble": []}, "task.metric.search.ensemble must be a list of at least 1 names, all different"),
        ({"ensemble": ["runs/none/1"]}, "task.metric.search.ensemble: runs/none/1 was not started: give the folder of an eval"),
        ({"ensemble": [one]}, f"task.metric.search.ensemble: {one} has the weights of another of its runs"),
        ({"ensemble": [str(evaluate(ensemble=[two]))]}, "was itself evaluated together with other runs: name each of them"),
        ({"ensemble": [other_data]}, "has learnt from data abababababab, and this run from .*: an ensemble is of runs of one"),
        ({"ensemble": [other_words]}, f"the target of {other_words} has others than that of the first: take runs of one"),
        (
            {"constraints": {"prefix": "1-1-1-1-1-1-"}},
            "constraints: prefix has 12 tokens, and with its end a text has 12 at most",
        ),
        (
            {"constraints": {"no_repeated_ngrams": 1}, "min_length": 15, "max_length": 20},
            "constraints: no hypothesis of a beam of 3",
        ),
        ({"fusion": {"run": LANGUAGE}}, r"fusion must be \{run: FOLDER of a language model, weight: 0.3\}"),
        ({"fusion": {"run": two, "weight": 1}}, f"{two} is a run of kind translation, and one of kind language is needed here"),
        ({"fusion": {"run": LANGUAGE, "weight": -1}}, "fusion: weight must be a finite number of at least 0"),
        ({"fusion": {"order": 3}}, r"fusion must be \{run: FOLDER of a language model, weight: 0.3\}, not \{'order': 3\}"),
    ):
        with pytest.raises(ValueError, match=said):
            evaluate(**search)
    for folder in (other_data, other_words):
        shutil.rmtree(folder)
    assert not list(place.glob("runs/dates/*/.*"))


def test_weights_that_are_others_now_are_told(two: str) -> None:
    run = read_run(evaluate(ensemble=[two]))
    search = run.config["task"]["metric"]["search"]
    check_unchanged(Path("runs/it"), run.partners, search)
    with pytest.raises(ValueError, match=f"runs/it was tested with other weights of {two} than there are now"):
        check_unchanged(Path("runs/it"), [run.partners[0] | {"weights": "0"}], search)


def test_labels_of_signals_are_counted_of_all_together(place: Path) -> None:
    """One network with itself: its own rates of errors, of the greedy search and of the beam, and its own loss."""
    settings = ["task=strokes", "rnn=lstm", "seed=1", "task.model._target_=rnn_lightning.Seq2Seq", "task.parameters=null"]
    settings += ["task.corpus.rows={train: 30, validation: 5, test: 20}", "+task.rnn.hidden_size=8"]
    searches = "{beam_size: 2, max_length: 9}", "{beam_size: 2, max_length: 9, ensemble: [runs/s]}"
    experiment, both = (compose([*settings, f"+task.metric.search={search}"]) for search in searches)
    corpus = experiment.task.corpus.build()
    corpus.fetch(experiment.raw())
    corpus.preprocess(experiment.raw(), experiment.processed())
    card = read_json(experiment.processed() / "card.json")
    system = build_system(experiment, card, planned=10)
    store_run(place / "runs/s", experiment, system, card)
    alone, together = (measure(one, system, place) for one in (experiment, both))
    assert set(alone) == {"test/loss", "test/perplexity", "test/cer", "test/cer_beam"}
    assert together == pytest.approx(alone, rel=1e-4)
    other = compose([*settings, "task.corpus.spacing=0.5", "+task.metric.search={ensemble: [runs/s]}"])
    with pytest.raises(ValueError, match="the source of runs/s has others than that of the first"):
        measure(other, system, place)
