"""Wrong arguments of public calls, and what the error says: a call of ``calls``, the arguments that change, the words.

Each error names the argument, what is allowed and what came.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch

Case = tuple[str, dict[str, Any], str]
NAN, MANY = math.nan, 2**31
FLOATS, FLAGS = torch.zeros(2, 4, 3), torch.ones(2, 4, dtype=torch.bool)

FLAG_ARGUMENTS = {
    "build_network": ("bidirectional", "residual", "locked"),
    "LanguageModel": ("tied", "locked"),
    "Seq2Seq": ("input_feeding", "context", "tied", "shared"),
    "SequenceRegressor": ("every_step",),
    "Forecaster": ("recursive", "apart"),
    "PairModule": ("buckets",),
    "StreamModule": ("joined", "packed"),
}
COUNTS = {
    "build_network": ("input_size", "hidden_size"),
    "LanguageModel": ("vocab_size", "embedding_size"),
    "Tagger": ("vocab_size", "num_tags", "embedding_size"),
    "FrameClassifier": ("input_size",),
    "SequenceClassifier": ("input_size",),
    "SequenceRegressor": ("input_size",),
    "Forecaster": ("input_size", "horizon", "segment"),
    "WindowModule": ("batch_size", "stride"),
    "Seq2Seq": ("vocab_size", "target_vocab_size", "embedding_size"),
    "LinearChainCRF": ("num_tags",),
    "NGram": ("vocab_size", "order"),
    "PairModule": ("batch_size",),
    "StreamModule": ("batch_size", "steps"),
    "beam_search": ("beam_size", "n_best", "groups", "max_length", "min_length"),
    "exhaustive_search": ("n_best", "limit"),
    "sample": ("samples", "top_k"),
    "ctc_beam_search": ("beam_size",),
    "LinearChainCRF.decode": ("n_best",),
    "NoRepeatedNgrams": ("size",),
    "augment time_masks": ("count", "longest"),
}
PROBABILITIES = {
    "build_network": ("dropout", "weight_drop"),
    "LanguageModel": ("dropout", "input_dropout", "embedding_dropout"),
    "Tagger": ("dropout", "word_dropout"),
    "FrameClassifier": ("dropout",),
    "SequenceClassifier": ("dropout",),
    "SequenceRegressor": ("dropout",),
    "Forecaster": ("dropout",),
    "CTCRecognizer": ("dropout",),
    "Seq2Seq": ("dropout", "label_smoothing"),
}
NUMBERS = {
    "sample": ("temperature", "top_p", "min_p"),
    "beam_search": ("patience", "diversity"),
    "GNMTLength": ("alpha",),
    "LengthPower": ("alpha",),
    "LengthReward": ("reward",),
    "RepetitionPenalty": ("penalty",),
    "LanguageModel": ("embedding_range",),
    "LanguageModel.generate": ("temperature",),
    "Seq2Seq.translate": ("coverage",),
    "Durable": ("every_seconds",),
    "ShallowFusion": ("weight", "bonus"),
    "augment noise": ("deviation",),
    "augment time_masks": ("share",),
    "augment shift": ("filling",),
    "check_invariance": ("tolerance",),
}
LENGTHS = {
    "ctc_loss": ("lengths", "target_lengths"),
    "ctc_align": ("lengths", "target_lengths"),
    "ctc_greedy": ("lengths",),
    "ctc_beam_search": ("lengths",),
    "LinearChainCRF.log_partition": ("lengths",),
    "LinearChainCRF.marginals": ("lengths",),
    "LinearChainCRF.decode": ("lengths",),
    "SpanF1.update": ("lengths",),
    "LanguageModel.forward": ("lengths",),
    "Tagger.tag": ("lengths",),
    "FrameClassifier.classify": ("lengths",),
    "SequenceClassifier.classify": ("lengths",),
    "SequenceRegressor.regress": ("lengths",),
    "Forecaster.forecast": ("lengths",),
    "CTCRecognizer.recognize": ("lengths",),
    "Seq2Seq.translate": ("lengths",),
    "gru.forward": ("lengths",),
    "ForcedPrefix": ("lengths",),
    "score": ("lengths",),
}
CHOICES = {
    "build_network": ("cell",),
    "LanguageModel": ("unit", "evaluation_state"),
    "Tagger": ("output", "scheme", "vectors"),
    "SequenceRegressor": ("loss",),
    "Forecaster": ("level", "loss"),
    "CTCRecognizer": ("unit",),
    "Seq2Seq": ("attention",),
    "beam_search": ("stop",),
    "ensemble": ("mean",),
    "spans_of": ("scheme",),
    "prepared": ("weights",),
    "Durable": ("mode",),
}


def of_kinds() -> Iterator[Case]:
    """A case or several for each argument of the lists above."""
    for table, values, words in (
        (FLAG_ARGUMENTS, ("no", 0), "must be true or false, not {!r}"),
        (COUNTS, (0, True, "3"), "must be a whole number of at least 1, not {!r}"),
        (PROBABILITIES, (1.5, NAN), r"must be a number in \[0, 1\), not {!r}"),
        (NUMBERS, (NAN, "1"), "must be a (finite )?number.*, not {!r}"),
        (CHOICES, ("other",), "must be one of .*not {!r}"),
    ):
        for call, arguments in table.items():
            for argument in arguments:
                yield from ((call, {argument: value}, f"{argument} {words.format(value)}") for value in values)
    for call, arguments in LENGTHS.items():
        for argument in arguments:
            yield call, {argument: torch.tensor([True, True])}, f"{argument} must be .*, not torch.bool"
            yield call, {argument: torch.tensor([9, 1])}, rf"{argument}\[0\] is 9; it must lie in 0..\d"
            yield call, {argument: [2, 1]}, rf"{argument} must be a tensor, not \[2, 1\]"


OTHERS: list[Case] = [
    ("FrameClassifier.classify", {"lengths": FLAGS}, "lengths must be int64 or int32, not torch.bool"),
    *[
        ("build_network", {"num_layers": 0}, "num_layers must be a whole number of 1 to 1000, not 0"),
        ("build_network", {"num_layers": True}, "num_layers must be a whole number of 1 to 1000, not True"),
    ],
    ("hidden_size_for", {"parameters": NAN}, "parameters must be a whole number of at least 1, not nan"),
    ("hidden_size_for", {"parameters": 1e6}, "parameters must be a whole number of at least 1, not 1000000.0"),
    ("hidden_size_for", {"parameters": None, "flops": "many"}, "flops must be a whole number of at least 1, not 'many'"),
    ("build_network", {"hidden_size": 10**6}, "hidden_size 1000000 .* numbers must fit in .* GB"),
    ("build_network", {"hidden_size": MANY}, "hidden_size must be a whole number of 1 to 2147483647, not 2147483648"),
    ("build_network", {"forget_bias": NAN}, "forget_bias must be a finite number, not nan"),
    ("build_network", {"init": {"uniform": NAN}}, "init must be .* with a number r above 0, not"),
    ("LanguageModel", {"vocab_size": 2**31 - 1, "embedding_size": 10**4}, "embedding_size 10000 numbers must fit in"),
    ("LanguageModel", {"rnn": "gru"}, "rnn must be a dict of keywords of build_network, or a Recurrent, not 'gru'"),
    ("LanguageModel", {"rnn": {"cell": "gru", "hidden_size": 3, "layers": 2}}, "rnn: there is no setting 'layers'"),
    (
        "LanguageModel",
        {"optimizer": {"name": "sgd", "lr": NAN}},
        "lr must be a finite number of at least 0, not nan",
    ),
    (
        "LanguageModel",
        {"optimizer": {"name": "sgd", "lr": True}},
        "lr must be a finite number of at least 0, not True",
    ),
    ("LanguageModel", {"optimizer": []}, r"optimizer must be \{name: ..., ...\}, not \[\]"),
    ("LanguageModel", {"schedule": "cosine"}, "schedule must be {name: ..., ...}, not 'cosine'"),
    ("LanguageModel.generate", {"length": -1}, "length must be a whole number of at least 0, not -1"),
    ("LanguageModel.generate", {"seed": 1.5}, "seed must be a whole number of at least 0, not 1.5"),
    ("LanguageModel.generate", {"prompt": [1, 2]}, r"prompt must be a tensor, not \[1, 2\]"),
    ("LanguageModel.forward", {"inputs": FLOATS[:, :, 0]}, r"tokens must be int64 of shape \(B, T\), not torch.float32"),
    ("Tagger", {"tags": ["O", "O", "B-X"]}, "tags must be a list of exactly 3 names, all different, not"),
    ("Tagger", {"characters": "cnn"}, "characters must be {name: ..., ...}, not 'cnn'"),
    ("FrameClassifier", {"classes": "ab"}, "classes must be a list of at least 2 names, all different, not 'ab'"),
    ("FrameClassifier", {"splice": -1}, "splice must be a whole number of at least 0, not -1"),
    ("FrameClassifier", {"delay": 0.5}, "delay must be a whole number of at least 0, not 0.5"),
    ("FrameClassifier", {"standardize": {"mean": [0.0] * 3, "std": [1.0, 0.0, 1.0]}}, "every std must be .* above 0, not 0.0"),
    ("FrameClassifier", {"standardize": {"mean": [NAN] * 3, "std": [1.0] * 3}}, "every mean must be a finite number, not nan"),
    ("FrameClassifier.classify", {"inputs": FLOATS * NAN}, "the input at row 0, step 0 is nan; features must be finite"),
    ("SequenceClassifier", {"num_classes": 1}, "num_classes must be a whole number of at least 2, not 1"),
    ("SequenceClassifier", {"num_classes": 2.0}, "num_classes must be a whole number of at least 2, not 2.0"),
    ("CTCRecognizer", {"blank": 3}, "blank must be a whole number of 0 to 2, not 3"),
    ("CTCRecognizer", {"subsampling": {"channels": "3"}}, "channels must be a whole number of at least 1, not '3'"),
    ("CTCRecognizer", {"subsampling": {"channels": 3, "kernel": 1}}, "kernel must be a whole number of at least 2, not 1"),
    ("Seq2Seq", {"end": 6}, "end must be a whole number of 0 to 5, not 6"),
    ("Seq2Seq", {"rnn": None}, "rnn must be a dict of keywords of build_network, not None"),
    ("Seq2Seq", {"scheduled_sampling": {"probability": NAN, "steps": 3}}, r"probability must be a number in \[0, 1\], not nan"),
    ("Seq2Seq", {"scheduled_sampling": {"probability": 0.5, "steps": 0}}, "steps must be a whole number of at least 1, not 0"),
    ("Seq2Seq.attend", {"targets": torch.tensor([[9], [1]])}, "target 9 in row 0, step 0: targets are 0..5"),
    ("Seq2Seq.translate", {"beam_size": 0}, "beam_size must be a whole number of at least 1, not 0"),
    ("Seq2Seq.translate", {"coverage": -1.0}, "coverage must be a finite number of at least 0, not -1.0"),
    ("LinearChainCRF", {"constraints": "BIO"}, "constraints must be Constraints, or None, not 'BIO'"),
    ("LinearChainCRF.marginals", {"emissions": FLOATS * NAN}, "emissions and their sums must be finite"),
    ("LinearChainCRF.marginals", {"emissions": FLOATS + 1e38}, "emissions and their sums must be finite"),
    ("LinearChainCRF.log_partition", {"emissions": FLOATS + math.inf}, "emissions and their sums must be finite"),
    ("LinearChainCRF.score", {"emissions": FLOATS + NAN}, "emissions and their sums must be finite"),
    ("LinearChainCRF.score", {"tags": torch.full((2, 4), 3)}, "tag 3 in row 0, step 0: tags are 0..2"),
    ("NGram", {"end": 3}, "end must be a whole number of 0 to 2, not 3"),
    ("NGram", {"sequences": "12"}, "sequences must be lists of tokens, not '12'"),
    ("NGram", {"sequences": [[1, True]]}, "sequences must be of tokens 0..2, not True"),
    ("NGram.step", {"tokens": torch.tensor([-1, 1])}, "tokens must be of 0..2, not -1 in row 0"),
    ("NGram.step", {"state": torch.tensor([0, 99])}, "state must be of 0..3, not 99 in row 1"),
    ("NGram.step", {"tokens": torch.tensor([1.0, 2.0])}, r"tokens must be int64 of shape \(N,\), not torch.float32"),
    ("ctc_loss", {"log_probs": FLOATS * NAN}, r"log_probs\[0, 0, 0\] is nan; a log-probability is 0 at most"),
    ("ctc_loss", {"blank": True}, "blank must be a whole number of at least 0, not True"),
    ("ctc_loss", {"targets": torch.tensor([[1, 7], [1, 1]])}, "target 7 in row 0, place 1: labels are 0..2"),
    ("transducer_loss", {"blank": -1}, r"blank must be a whole number of 0 to \d, not -1"),
    ("WeightAverage", {"monitor": ()}, r"monitor must be text, not \(\)"),
    ("BackOffNGram", {"space": None}, "space must be text, not None"),
    ("Forecaster", {"seasonal_errors": torch.tensor([])}, "seasonal_errors must be a list of numbers, one a target"),
    ("ctc_beam_search", {"n_best": 4}, "n_best must be a whole number of 1 to 3, not 4"),
    ("ctc_beam_search", {"fusion": "bigram"}, "fusion must be a ShallowFusion .* or None, not 'bigram'"),
    ("beam_search", {"step": None}, "step must be a function of tokens and a state, not None"),
    ("beam_search", {"state": "none"}, "state must be a tensor, or a tuple of states, not 'none'"),
    ("beam_search", {"rules": ["no repeats"]}, r"rules must be a list of functions, see Rule, not \['no repeats'\]"),
    ("beam_search", {"end": -1}, "end must be a whole number of at least 0, not -1"),
    ("sample", {"generator": 3}, "generator must be a torch.Generator, or None, not 3"),
    ("score", {"tokens": torch.full((2, 3), 9)}, "tokens must be of 0..4, not 9"),
    ("BannedPhrases", {"phrases": [[1, NAN]]}, r"a banned phrase must be tokens, .*, not \[1, nan\]"),
    ("gru.forward", {"state": ()}, r"state must be .*that this network has made, not \(\)"),
    ("gru.forward", {"inputs": FLOATS.long()}, r"inputs must be floats of shape \(B, T, 3\), not torch.int64"),
    ("make_normalisation", {"settings": {"name": "gnmt", "alpha": "0.6"}}, "alpha must be a finite number, not '0.6'"),
    ("check_invariance", {"system": "gru"}, "system must be a torch.nn.Module, not 'gru'"),
    ("count_parameters", {"module": None}, "module must be a torch.nn.Module, not None"),
]
CASES = [*of_kinds(), *OTHERS]
