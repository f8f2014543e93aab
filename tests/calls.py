"""A valid call of every public function, class and method of the library; tests change single arguments of them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import torch
from corpora import write_series, write_stream, write_tagged
from search_oracles import Model
from torch import Tensor

import rnn_lightning as library
from rnn_lightning import search
from rnn_lightning.arpa import Entry
from rnn_lightning.data.augment import AUGMENTATIONS
from rnn_lightning.recurrent import CELLS, build_network

GRU = {"cell": "gru", "hidden_size": 3}
LENGTHS = torch.tensor([4, 2])
GRAMS = [{(word,): Entry(-1.0, 0.0) for word in ("<s>", "</s>", "a", "b")}]
TAGS = ["O", "B-X", "I-X"]


class Call(NamedTuple):
    """A function and keyword arguments that it takes."""

    function: Callable[..., Any]
    arguments: dict[str, Any]

    def __call__(self, **changes: Any) -> Any:
        torch.manual_seed(0)
        return self.function(**{**self.arguments, **changes})


def draws(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def tokens(size: int, *shape: int) -> Tensor:
    return torch.randint(1, size, shape, generator=torch.Generator().manual_seed(2))


@cache
def folder(kind: str) -> Path:
    path = Path(mkdtemp())
    return {"stream": write_stream, "tagged": write_tagged, "series": write_series}[kind](path)


@cache
def system(name: str) -> Any:
    torch.manual_seed(0)
    build, more = SYSTEMS[name]
    return build(**more).eval()


SYSTEMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "LanguageModel": (
        library.LanguageModel,
        {"vocab_size": 7, "rnn": GRU, "embedding_size": 3, "tied": False, "locked": False, "dropout": 0.1, "unit": "word"}
        | {
            "input_dropout": 0.1,
            "embedding_dropout": 0.1,
            "size_penalty": 2.0,
            "change_penalty": 1.0,
            "evaluation_state": "carry",
            "embedding_range": 0.1,
            "optimizer": {"name": "sgd", "lr": 0.1},
            "schedule": {"name": "cosine", "T_max": 5},
        },
    ),
    "Tagger": (
        library.Tagger,
        {"vocab_size": 7, "num_tags": 3, "rnn": GRU, "embedding_size": 3, "word_dropout": 0.1, "dropout": 0.1}
        | {"output": "crf", "tags": TAGS, "scheme": "BIO", "vectors": "tuned", "num_characters": 5}
        | {"characters": {"name": "cnn", "filters": 2}},
    ),
    "FrameClassifier": (
        library.FrameClassifier,
        {"rnn": GRU, "input_size": 3, "classes": ["a", "b"], "splice": 1, "delay": 1, "dropout": 0.1}
        | {"standardize": {"mean": [0.0] * 3, "std": [1.0] * 3}},
    ),
    "SequenceClassifier": (
        library.SequenceClassifier,
        {"rnn": GRU, "input_size": 3, "num_classes": 2, "classes": ["a", "b"], "dropout": 0.1, "pooling": "attention"},
    ),
    "SequenceRegressor": (
        library.SequenceRegressor,
        {"rnn": GRU, "input_size": 3, "targets": ["a", "b"], "every_step": True, "quantiles": [0.1, 0.9], "dropout": 0.1}
        | {"loss": "huber", "pooling": "last", "standardize_targets": {"mean": [0.0] * 2, "std": [1.0] * 2}},
    ),
    "Forecaster": (
        library.Forecaster,
        {"rnn": GRU, "input_size": 3, "targets": ["a", "b"], "horizon": 3, "known": 0, "recursive": False, "level": "last"}
        | {"apart": True, "segment": 1, "highway": 2, "quantiles": [0.1, 0.9], "dropout": 0.1, "loss": "squared"}
        | {"standardize": {"mean": [0.0] * 3, "std": [1.0] * 3}, "seasonal_errors": [1.0, 2.0]},
    ),
    "CTCRecognizer": (
        library.CTCRecognizer,
        {"rnn": GRU, "input_size": 3, "labels": ["-", "a", "b"], "unit": "character", "blank": 0, "dropout": 0.1}
        | {"subsampling": {"channels": 3}},
    ),
    "Transducer": (
        library.Transducer,
        {"rnn": GRU, "input_size": 3, "labels": ["-", "a", "b"], "unit": "character", "blank": 0, "dropout": 0.1}
        | {"subsampling": {"channels": 3}, "embedding_size": 3, "joint_size": 4},
    ),
    "Seq2Seq": (
        library.Seq2Seq,
        {"vocab_size": 7, "target_vocab_size": 6, "rnn": GRU, "end": 5, "embedding_size": 3, "attention": "general"}
        | {"input_feeding": False, "context": False, "tied": False, "shared": False, "dropout": 0.1, "coverage_loss": 0.5}
        | {"label_smoothing": 0.1, "scheduled_sampling": {"probability": 0.5, "steps": 3}},
    ),
}


def searched(function: Any, **more: Any) -> Call:
    step, state, first = Model(3, 5, 2).start
    start: dict[str, Any] = {"step": step, "state": state, "first": first, "end": 0, "max_length": 4, "min_length": 1}
    return Call(function, {**start, **more})


def made_of(name: str, method: str, **arguments: Any) -> Call:
    return Call(getattr(system(name), method), arguments)


@cache
def calls() -> dict[str, Call]:
    """The calls by name; the systems' methods as ``LanguageModel.generate``."""
    return {name: Call(*settings) for name, settings in SYSTEMS.items()} | functions() | methods() | searches()


def functions() -> dict[str, Call]:
    log_probs = draws(2, 4, 3).log_softmax(2)
    ctc = {"log_probs": log_probs, "lengths": LENGTHS, "blank": 0}
    targets = {"targets": torch.tensor([[1, 2], [1, 1]]), "target_lengths": torch.tensor([2, 1])}
    fusion = library.ShallowFusion(*bigram(), 0.5, 0.1)
    network = {"cell": "gru", "input_size": 3, "hidden_size": 3, "num_layers": 2, "bidirectional": False, "residual": True}
    more = {"dropout": 0.1, "locked": True, "weight_drop": 0.1, "init": "uniform", "forget_bias": 0.5}
    return {
        "build_network": Call(build_network, network | more),
        "hidden_size_for": Call(library.hidden_size_for, {"cell": "gru", "input_size": 3, "parameters": 500, "num_layers": 2}),
        "ctc_loss": Call(library.ctc_loss, {**ctc, **targets}),
        "transducer_loss": Call(library.transducer_loss, {**ctc, **targets, "log_probs": draws(2, 4, 3, 3).log_softmax(3)}),
        "ctc_align": Call(library.ctc_align, {**ctc, **targets}),
        "ctc_greedy": Call(library.ctc_greedy, ctc),
        "ctc_beam_search": Call(library.ctc_beam_search, {**ctc, "beam_size": 3, "n_best": 2, "fusion": fusion}),
        "LinearChainCRF": Call(library.LinearChainCRF, {"num_tags": 3, "constraints": constraints()}),
        "NGram": Call(library.NGram, {"sequences": [[1, 2], [2]], "vocab_size": 3, "order": 2, "end": 0}),
        "spans_of": Call(library.spans_of, {"tags": TAGS, "scheme": "BIO"}),
        "span_constraints": Call(library.span_constraints, {"tags": TAGS, "scheme": "BIO"}),
        "SpanF1": Call(library.SpanF1, {"tags": TAGS, "scheme": "BIO"}),
        "prepared": Call(library.prepared, {"network": system("LanguageModel"), "weights": "int8"}),
        "count_parameters": Call(library.count_parameters, {"module": system("LanguageModel")}),
        "flops_per_step": Call(library.flops_per_step, {"module": system("LanguageModel")}),
        "check_invariance": Call(library.check_invariance, {"system": build_network("gru", 3, 3), "tolerance": 1e-8}),
        "PairModule": Call(library.PairModule, {"folder": folder("tagged"), "batch_size": 2, "buckets": True, "seed": 1}),
        "StreamModule": Call(
            library.StreamModule,
            {"folder": folder("stream"), "batch_size": 2, "steps": 3, "joined": False, "packed": True, "seed": 1},
        ),
        "WindowModule": Call(library.WindowModule, {"folder": folder("series"), "batch_size": 2, "stride": 2, "seed": 1}),
        "Durable": Call(library.Durable, {"folder": folder("stream"), "seed": 1, "mode": "min", "every_seconds": 1.0}),
        "WeightAverage": Call(library.WeightAverage, {"kind": "nt_asgd", "patience": 2, "monitor": "val/loss", "mode": "max"}),
        "Batch.of": Call(library.Batch.of, {"given": {"inputs": tokens(7, 2, 4), "lengths": LENGTHS}}),
        "ShallowFusion": Call(fused, {"step": fusion.step, "start": fusion.start, "weight": 0.5, "bonus": 0.1}),
        "make_normalisation": Call(search.make_normalisation, {"settings": {"name": "gnmt", "alpha": 0.6}}),
    }


def fused(**settings: Any) -> Any:
    return library.ctc_beam_search(draws(2, 4, 3).log_softmax(2), beam_size=3, fusion=library.ShallowFusion(**settings))


def bigram() -> tuple[Any, Any]:
    model = library.NGram([[1, 2], [2]], vocab_size=3, order=2, end=0)
    return model.step, model.start


def constraints() -> Any:
    return library.span_constraints(TAGS, "BIO")


def methods() -> dict[str, Call]:
    features, words = {"inputs": draws(2, 4, 3), "lengths": LENGTHS}, tokens(7, 2, 4)
    crf = library.LinearChainCRF(3)
    emitted = {"emissions": draws(2, 4, 3), "lengths": LENGTHS}
    tags, spelled = torch.tensor([[0, 1, 2, 0]] * 2), torch.cat([words.unsqueeze(2), tokens(5, 2, 4, 3)], 2)
    pair = {"batch": library.Batch(words, LENGTHS, torch.tensor([[1, 5, -100], [2, 3, 5]]), torch.tensor([2, 3]))}
    ngram = library.NGram([[1, 2], [2]], vocab_size=3, order=2, end=0)
    return {
        "LinearChainCRF.log_partition": Call(crf.log_partition, emitted),
        "LinearChainCRF.marginals": Call(crf.marginals, emitted),
        "LinearChainCRF.decode": Call(crf.decode, emitted | {"n_best": 2}),
        "LinearChainCRF.score": Call(crf.score, emitted | {"tags": tags}),
        "LinearChainCRF.loss": Call(crf.loss, emitted | {"tags": tags}),
        "NGram.step": Call(ngram.step, {"tokens": torch.tensor([1, 2]), "state": ngram.start(2)}),
        "NGram.start": Call(ngram.start, {"rows": 2}),
        "BackOffNGram": Call(library.BackOffNGram, {"grams": GRAMS, "labels": ["-", "a", "b"], "end": 0, "space": "<space>"}),
        "SpanF1.update": Call(library.SpanF1(TAGS, "BIO").update, {"predicted": tags, "gold": tags, "lengths": LENGTHS}),
        "LanguageModel.forward": made_of("LanguageModel", "forward", inputs=words, lengths=LENGTHS),
        "LanguageModel.generate": made_of("LanguageModel", "generate", prompt=words, length=3, temperature=0.5, seed=1),
        "Tagger.tag": made_of("Tagger", "tag", inputs=spelled, lengths=LENGTHS),
        "Tagger.tag_with_confidence": made_of("Tagger", "tag_with_confidence", inputs=spelled, lengths=LENGTHS),
        "FrameClassifier.classify": made_of("FrameClassifier", "classify", **features),
        "SequenceClassifier.classify": made_of("SequenceClassifier", "classify", **features),
        "SequenceRegressor.regress": made_of("SequenceRegressor", "regress", **features),
        "Forecaster.forecast": made_of("Forecaster", "forecast", **features),
        "Transducer.recognize": made_of("Transducer", "recognize", **features, beam_size=3, n_best=2, per_step=2),
        "CTCRecognizer.recognize": made_of("CTCRecognizer", "recognize", **features, beam_size=3, n_best=2),
        "CTCRecognizer.align": made_of("CTCRecognizer", "align", **features, targets=torch.tensor([[1], [2]])),
        "Seq2Seq.translate": made_of("Seq2Seq", "translate", sources=words, lengths=LENGTHS, coverage=0.1, beam_size=2),
        "Seq2Seq.attend": made_of("Seq2Seq", "attend", sources=words, lengths=LENGTHS, targets=tokens(5, 2, 3)),
        "Seq2Seq.log_probabilities": made_of("Seq2Seq", "log_probabilities", **pair),
        **{f"{cell}.forward": Call(build_network(cell, 3, 3).forward, features | {"state": None}) for cell in CELLS},
    }


def searches() -> dict[str, Call]:
    sequences = {"tokens": tokens(5, 2, 3), "lengths": torch.tensor([3, 1])}
    drawn = {"samples": 2, "temperature": 0.7, "top_k": 3, "top_p": 0.9, "min_p": 0.1}
    diverse = {"patience": 2.0, "diversity": 0.1, "required": None, "rules": ()}
    step, state, first = Model(3, 5, 2).start
    return {
        "beam_search": searched(search.beam_search, beam_size=4, n_best=2, stop="patience", groups=2, **diverse),
        "sample": searched(search.sample, **drawn),
        "exhaustive_search": searched(search.exhaustive_search, n_best=2, limit=10_000),
        "search_error_rate": searched(search.search_error_rate, beam_size=2, tolerance=1e-4, patience=1.0, stop="exact"),
        "score": Call(search.score, {"step": step, "state": state, "first": first, **sequences}),
        "ensemble": Call(search.ensemble, {"steps": [step], "mean": "probabilities"}),
        "GNMTLength": Call(search.GNMTLength, {"alpha": 0.6}),
        "LengthPower": Call(search.LengthPower, {"alpha": 0.6}),
        "LengthReward": Call(search.LengthReward, {"reward": 0.1}),
        "RepetitionPenalty": Call(search.RepetitionPenalty, {"penalty": 1.2}),
        "NoRepeatedNgrams": Call(search.NoRepeatedNgrams, {"size": 2}),
        "BannedPhrases": Call(search.BannedPhrases, {"phrases": [[1, 2]]}),
        "ForcedPrefix": Call(search.ForcedPrefix, {"prefixes": tokens(5, 2, 3), "lengths": torch.tensor([3, 1])}),
        **{f"augment {name}": Call(AUGMENTATIONS[name], dict(settings)) for name, settings in AUGMENTED.items()},
    }


AUGMENTED: dict[str, dict[str, Any]] = {
    "time_masks": {"count": 1, "longest": 2, "share": 0.5},
    "feature_masks": {"count": 1, "widest": 2},
    "noise": {"deviation": 0.1},
    "speed": {"factors": [0.9, 1.1]},
    "pen": {"slant": 0.1, "scale": 0.1, "rotation": 0.1},
    "shift": {"steps": 1, "features": 1, "filling": 0.5},
}
