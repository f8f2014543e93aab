"""Back-off models in ARPA files: their recursion by hand, as a model of labels in a search, and damaged files."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from ctc_oracles import sequences

from rnn_lightning import BackOffNGram, ShallowFusion, ctc_beam_search
from rnn_lightning.arpa import read_arpa
from rnn_lightning.search import shallow_fusion

FILE = """made by hand

\\data\\
ngram 1=6
ngram 2=4
ngram 3=2

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.5
-0.9\t</s>
-0.4\ta\t-0.2
-0.7\tb\t-0.3
-0.8\t<space>

\\2-grams:
-0.2\t<s> a\t-0.1
-0.6\ta b\t-0.4
-0.3\tb </s>
-1.1\ta a

\\3-grams:
-0.15\t<s> a b
-0.05\ta b </s>

\\end\\
"""
LABELS = ["<blank>", "a", "b", " ", "z"]
WORDS = ["</s>", "a", "b", "<space>", "<unk>"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "lm.arpa").write_text(FILE)
    return tmp_path / "lm.arpa"


def by_hand(history: tuple[str, ...], word: str) -> float:
    """log10 P(word | history), by the recursion over the lines of the file."""
    lines = [line.split("\t") for line in FILE.splitlines() if "\t" in line]
    entries = {fields[1]: (float(fields[0]), float(fields[2]) if len(fields) > 2 else 0.0) for fields in lines}
    history = history[-2:]
    if " ".join((*history, word)) in entries:
        return entries[" ".join((*history, word))][0]
    return entries.get(" ".join(history), (0, 0.0))[1] + by_hand(history[1:], word)


def test_every_text_has_the_score_of_the_recursion(file: Path) -> None:
    model = BackOffNGram.read(file, LABELS, end=0)
    for length in range(4):
        for text in itertools.product(range(1, 5), repeat=length):
            state, log_probs = model.start(1), torch.empty(0)
            for token in (0, *text):
                log_probs, state = model.step(torch.tensor([token]), state)
            history = ("<s>", *(WORDS[token] for token in text))
            expected = [by_hand(history, word) * math.log(10) for word in WORDS]
            np.testing.assert_allclose(log_probs[0].numpy(), expected, rtol=1e-12)


def test_one_score_by_hand(file: Path) -> None:
    """P(b a </s>) = b(<s>) P(b), b(b) P(a), b(a) P(</s>), and "a b" is found with its trigrams."""
    model = BackOffNGram.read(file, LABELS, end=0)

    def score(*text: int) -> float:
        state, total = model.start(1), 0.0
        for token, following in itertools.pairwise((0, *text, 0)):
            log_probs, state = model.step(torch.tensor([token]), state)
            total += log_probs[0, following].item() / math.log(10)
        return total

    assert score(2, 1) == pytest.approx((-0.5 - 0.7) + (-0.3 - 0.4) + (-0.2 - 0.9))
    assert score(1, 2) == pytest.approx(-0.2 - 0.15 - 0.05)


def test_rows_do_not_know_of_each_other_and_a_text_ends_before_the_next(file: Path) -> None:
    model, rows = BackOffNGram.read(file, LABELS, end=0), torch.tensor([[0, 1, 2, 4, 0, 1], [0, 3, 1, 2, 1, 2]])
    found, state, alone = torch.empty(2, 0), model.start(2), [model.start(1), model.start(1)]
    for tokens in rows.unbind(1):
        found, state = model.step(tokens, state)
        for row in range(2):
            one, alone[row] = model.step(tokens[row : row + 1], alone[row])
            assert torch.equal(one[0], found[row])
    torch.testing.assert_close(found[0], model.step(torch.tensor([1]), model.step(torch.tensor([0]), model.start(1))[1])[0][0])


def test_a_ctc_search_with_it_finds_the_best_of_all_labellings(file: Path) -> None:
    model = BackOffNGram.read(file, LABELS, end=0)
    log_probs = (2 * torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))).log_softmax(2)
    found = ctc_beam_search(log_probs, beam_size=400, fusion=ShallowFusion(model.step, model.start, 0.7, 0.3))
    for row in range(3):
        scores = {}
        for labels, log_prob in sequences(log_probs[row].double().numpy(), 0).items():
            history = ["<s>", *(WORDS[label] for label in labels)]
            words = [*history[1:], "</s>"]
            language = sum(by_hand(tuple(history[: place + 1]), word) for place, word in enumerate(words))
            scores[labels] = log_prob + 0.7 * language * math.log(10) + 0.3 * len(labels)
        best = max(scores, key=scores.__getitem__)
        assert tuple(found.labels[row, 0, : found.lengths[row, 0]].tolist()) == best
        assert found.scores[row, 0].item() == pytest.approx(scores[best], rel=1e-5)


def test_it_is_fused_with_a_decoder_s_step(file: Path) -> None:
    model = BackOffNGram.read(file, LABELS, end=0)
    step = shallow_fusion(lambda tokens, state: (torch.zeros(len(tokens), 5), state), model.step, 0.5)
    log_probs, _ = step(torch.tensor([0]), (torch.zeros(1), model.start(1)))
    assert log_probs[0].tolist() == pytest.approx([0.5 * by_hand(("<s>",), word) * math.log(10) for word in WORDS])


def test_pruned_files_lack_contexts_and_labels_without_a_word_are_refused(file: Path) -> None:
    pruned = FILE.replace("-0.6\ta b\t-0.4\n", "").replace("ngram 2=4", "ngram 2=3")
    file.write_text(pruned)
    model, state = BackOffNGram.read(file, LABELS, end=0), None
    for token in (0, 1, 2):
        log_probs, state = model.step(torch.tensor([token]), model.start(1) if state is None else state)
    assert log_probs[0, 0].item() == pytest.approx(-0.05 * math.log(10))  # a b </s>
    assert log_probs[0, 1].item() == pytest.approx((-0.3 - 0.4) * math.log(10))  # b backs off, a b has no weight
    file.write_text(FILE.replace("-1.0\t<unk>\n", "").replace("ngram 1=6", "ngram 1=5"))
    with pytest.raises(ValueError, match="the language model has no word 'z' for the label 'z', and no <unk>"):
        BackOffNGram.read(file, LABELS, end=0)


def test_a_model_of_other_words_is_refused(file: Path) -> None:
    with pytest.raises(ValueError, match="the model has none of the labels"):
        BackOffNGram.read(file, ["<blank>", "q", "r"], end=0)


DAMAGE = [
    ("\\data\\", "data", r"lm.arpa has no line \\data\\"),
    ("ngram 2=4", "ngram 3=4", r"arpa:5 is 'ngram 3=4', expected ngram 2=COUNT"),
    ("ngram 1=6\nngram 2=4\nngram 3=2", "", r"arpa:6 is '\\\\1-grams:', expected ngram 1=COUNT"),
    ("ngram 2=4", "ngram 2=5", r"arpa:22 ends 4 n-grams of order 2, expected 5"),
    ("\\2-grams:", "\\3-grams:", r"arpa:16 is '\\\\3-grams:', expected \\2-grams:"),
    ("\\end\\\n", "", r"arpa:26 is the end of the file, expected \\end\\"),
    ("-0.6\ta b", "-0.6\ta", r"arpa:18 has '-0.4', expected words of the unigrams alone"),
    ("<s> a b\n", "<s> a b\t-1\n", r"arpa:23 has 5 fields, expected a logarithm, 3 words$"),
    ("-0.4\ta", "x\ta", r"arpa:12 has 'x', expected a finite number"),
    ("-0.4\ta", "nan\ta", r"arpa:12 has 'nan', expected a finite number"),
    ("-0.4\ta", "0.4\ta", r"arpa:12 has the logarithm 0.4 of a probability, expected 0 at most"),
    ("-0.7\tb\t", "-0.7\ta\t", r"arpa:13 has the n-gram 'a' a second time"),
    ("a a", "a c", r"arpa:20 has 'c', expected words of the unigrams alone"),
    ("-0.9\t</s>", "-0.9\tc", r"arpa:19 has '</s>', expected words of the unigrams alone"),
]


@pytest.mark.parametrize(("right", "wrong", "said"), DAMAGE, ids=range(len(DAMAGE)))
def test_damaged_files_are_refused_with_their_line(right: str, wrong: str, said: str, file: Path) -> None:
    assert right in FILE
    file.write_text(FILE.replace(right, wrong, 1))
    with pytest.raises(ValueError, match=said):
        read_arpa(file)


def test_a_file_cut_anywhere_is_refused(file: Path) -> None:
    for end in range(len(FILE.rstrip())):
        file.write_text(FILE[:end])
        with pytest.raises(ValueError, match=r"lm\.arpa"):
            read_arpa(file)
