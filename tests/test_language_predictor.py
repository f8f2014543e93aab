"""Continuations and scores of a language model: those of each prompt alone, as its steps give them."""

import io
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from rnn_lightning import LanguageModel
from rnn_lightning.corpora.vocabulary import learn_tokenizer
from rnn_lightning.items.lines import LineReader
from rnn_lightning.predictors import LanguagePredictor


def language_model(vocab_size: int = 12) -> LanguageModel:
    torch.manual_seed(0)
    system = LanguageModel(vocab_size, {"cell": "gru", "hidden_size": 9}, 5).eval()
    with torch.no_grad():
        system.output.weight.mul_(5)
    return system


PROMPTS = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10, 11], [1, 2]]


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("length", [0, 1, 6])
def test_a_prompt_is_continued_as_if_it_were_alone(temperature: float, length: int) -> None:
    system = language_model()
    predictor = LanguagePredictor(system, None, length=length, temperature=temperature, seed=5)
    for prompt, answer in zip(PROMPTS, predictor(PROMPTS), strict=True):
        alone = system.generate(torch.tensor([prompt]), length, temperature=temperature, seed=5)[0]
        assert answer == {"text": " ".join(map(str, alone.tolist()))}


def test_a_score_is_the_sum_of_the_steps() -> None:
    system = language_model()
    for line, answer in zip(PROMPTS, LanguagePredictor(system, None, score=True)(PROMPTS), strict=True):
        state, total = None, 0.0
        for before, after in pairwise(line):
            with torch.no_grad():
                log_probabilities, state = system.step(torch.tensor([before]), state)
            total += log_probabilities[0, after].item()
        assert answer["log_probability"] == pytest.approx(total, abs=1e-4) and answer["tokens"] == len(line) - 1
        expected = pytest.approx(np.exp(-total / (len(line) - 1)), rel=1e-4) if len(line) > 1 else None
        assert answer["perplexity"] == expected


def text_model(end_of_line: bool) -> tuple[LanguageModel, Any]:
    from rnn_lightning.corpora.vocabulary import learn_tokenizer

    tokenizer = learn_tokenizer(["the dog barks", "a dog"], "word", None, end_of_line)
    return language_model(tokenizer.get_vocab_size()), tokenizer


def test_what_the_vocabulary_lacks_of_a_scored_line_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    scorer = LanguagePredictor(*text_model(True), score=True)
    known, lacking = scorer(["the dog", "the cat meows"])
    assert (known["unknown"], lacking["unknown"]) == ([], ["cat", "meows"])
    lines = list(LineReader(scorer, "text").answer(io.BytesIO(b"the dog\nthe cat\n")))
    assert len(lines) == 2 and capsys.readouterr().err == "warning: line 2: the vocabulary lacks 'cat': scored as <unk>\n"


@pytest.mark.parametrize("score", [True, False])
def test_a_character_that_the_vocabulary_lacks_without_a_token_for_it_is_named(
    score: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = learn_tokenizer(["abc cab"], "character", None, end_of_line=False)
    predictor = LanguagePredictor(language_model(tokenizer.get_vocab_size()), tokenizer, score=score)
    reader = LineReader(predictor, "text")
    assert len(list(reader.answer(io.BytesIO(b"abc\naZb\ncab\n")))) == 3 and reader.refused == 1
    assert "line 2, aZb: the vocabulary lacks 'Z', and has no <unk> for it: leave it out" in capsys.readouterr().err


def test_scores_take_no_option_of_continuations() -> None:
    for name, value in {"top_k": 3, "top_p": 0.5, "min_p": 0.1, "length": 3, "temperature": 0.5, "seed": 4}.items():
        with pytest.raises(ValueError, match=f"score=true scores the lines .* leave {name} out"):
            LanguagePredictor(language_model(), None, score=True, **{name: value})


@pytest.mark.parametrize("end_of_line", [True, False])
def test_no_end_of_line_stands_behind_a_prompt_and_one_is_scored(end_of_line: bool) -> None:
    system, tokenizer = text_model(end_of_line)
    dog = [tokenizer.token_to_id(word) for word in ("the", "dog")]
    mark = [tokenizer.token_to_id("<eos>")] if end_of_line else []
    assert LanguagePredictor(system, tokenizer).inputs.encode("the dog").steps.tolist() == mark + dog
    scorer = LanguagePredictor(system, tokenizer, score=True)
    assert scorer.inputs.encode("the dog").steps.tolist() == mark + dog + mark
    assert scorer(["the dog"])[0]["tokens"] == (3 if end_of_line else 1)
    assert ("text" in LanguagePredictor(system, tokenizer, length=3)([""])[0]) and scorer([""])[0]["tokens"] == end_of_line


@pytest.mark.parametrize("item", ["1 2 x", "1.5", "12", [1, -1], "-1"])
def test_what_is_no_token_is_named(item: Any) -> None:
    with pytest.raises(ValueError, match=r"^item 0: (it is no list of token numbers|token -?\d+ is none of 0..11)"):
        LanguagePredictor(language_model(), None)([item])


STEPS: dict[str, tuple[Any, Any, str]] = {
    "large": (torch.tensor([1, 9]), None, r"token 9 in row 1, step 0: tokens are 0\.\.8"),
    "negative": (torch.tensor([-1]), None, "token -1 in row 0, step 0"),
    "floats": (torch.tensor([1.0]), None, "tokens must be int64 .* not torch.float32"),
    "flags": (torch.tensor([True]), None, "tokens must be int64 .* not torch.bool"),
    "shape": (torch.tensor([[1, 2]]), None, r"tokens must be int64 of shape \(B, T\)"),
    "number": (3, None, "tokens must be a tensor, not 3"),
    "state": (torch.tensor([1]), 5, "state must be a tensor, or tuple of states"),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_looks_at_nothing_first_still_says_what_is_wrong(name: str) -> None:
    tokens, state, said = STEPS[name]
    with pytest.raises(ValueError, match=said):
        LanguageModel(9, {"cell": "lstm", "hidden_size": 4}).step(tokens, state)


@pytest.mark.parametrize("keep", [{"top_k": 2}, {"top_p": 0.4}, {"min_p": 0.3}])
def test_a_filter_leaves_the_tokens_that_a_search_by_samples_draws_of(keep: dict[str, Any]) -> None:
    from rnn_lightning.search.filters import Filter

    system = language_model()
    predictor = LanguagePredictor(system, None, length=8, temperature=1.5, seed=3, **keep)
    kept = Filter(1.5, **({"top_k": None, "top_p": None, "min_p": None} | keep))
    for prompt, answer in zip(PROMPTS, predictor(PROMPTS), strict=True):
        alone = system.generate(torch.tensor([prompt]), 8, temperature=1.5, seed=3, **keep)[0].tolist()
        assert answer == {"text": " ".join(map(str, alone))}
        for place, token in enumerate(alone):
            with torch.no_grad():
                logits = system(torch.tensor([[*prompt, *alone[:place]]]))[0][:, -1]
            assert kept(logits)[0, token] > -torch.inf
    with pytest.raises(ValueError, match="top_k must be a whole number"):
        LanguagePredictor(system, None, top_k=0)
