"""Taggers of spans: what their scheme allows, and F1 as another library counts it."""

import pytest
import torch
from corpora import VOCABULARY
from seqeval.metrics import f1_score, precision_score, recall_score
from torch import Tensor

from rnn_lightning import IGNORED, Batch, Tagger, check_invariance
from rnn_lightning.models.tag_output import OUTPUTS

TAGS = ["B-X", "B-Y", "I-X", "I-Y", "O"]
LENGTHS = torch.tensor([7, 0, 3, 5, 1])
PADDING = torch.arange(7) >= LENGTHS.unsqueeze(1)
GOLD = torch.tensor([[0, 2, 4, 1, 3, 3, 4], [4] * 7, [1, 0, 2, 4, 4, 4, 4], [4, 4, 0, 2, 2, 4, 4], [1] * 7])


def build(output: str = "crf") -> Tagger:
    torch.manual_seed(0)
    rnn = {"cell": "lstm", "hidden_size": 4, "bidirectional": True}
    return Tagger(VOCABULARY, len(TAGS), rnn, embedding_size=5, output=output, tags=TAGS, scheme="BIO")


def batch(gold: Tensor = GOLD) -> Batch:
    words = torch.randint(0, VOCABULARY, (5, 7), generator=torch.Generator().manual_seed(0))
    return Batch(words, LENGTHS, gold.masked_fill(PADDING, IGNORED))


def named(tags: Tensor) -> list[list[str]]:
    return [[TAGS[tag] for tag in row[:length]] for row, length in zip(tags.tolist(), LENGTHS.tolist(), strict=True)]


def is_legal(tags: list[str]) -> bool:
    pairs = zip(["O", *tags], tags, strict=False)
    return all(after[0] != "I" or (before != "O" and before[2:] == after[2:]) for before, after in pairs)


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_tagger_of_spans_keeps_the_laws_whatever_stands_on_top(output: str) -> None:
    check_invariance(build(output))
    model, more = build(output).double(), batch()
    loss, count = model.loss_on(more, "train")
    rows = [Batch(more.inputs[[row], :length], None, more.targets[[row], :length]) for row, length in enumerate(LENGTHS)]
    apart = sum(float(model.loss_on(row, "train")[0]) * row.targets.numel() for row in rows if row.targets.numel())
    assert count == int(LENGTHS.sum())
    assert float(loss) * count == pytest.approx(apart)


@pytest.mark.parametrize("output", OUTPUTS)
def test_spans_are_counted_as_seqeval_does(output: str) -> None:
    model = build(output).eval()
    with torch.no_grad():
        for _ in range(3):
            model.emissions.weight.normal_()
            model.emissions.bias.normal_()
            model.on_test_epoch_start()
            model.loss_on(batch(), "test")
            found, gold = (named(tags) for tags in (model.tag(batch().inputs, LENGTHS), GOLD))
            overall = model.spans_of("test")[0].compute().overall
            expected = [score(gold, found, zero_division=0) for score in (precision_score, recall_score, f1_score)]
            assert [float(value) for value in overall[:3]] == pytest.approx(expected)


def test_a_field_finds_no_span_that_begins_in_its_middle() -> None:
    model = build().eval()
    draws = torch.Generator().manual_seed(0)
    illegal = 0
    for _ in range(20):
        emissions = 1e4 * torch.randn(5, 7, len(TAGS), generator=draws)
        assert all(is_legal(tags) for tags in named(model.output.decode(emissions, LENGTHS)))
        illegal += sum(not is_legal(tags) for tags in named(emissions.argmax(2)))
    assert illegal > 20, "nothing had to be forbidden"


@pytest.mark.parametrize("split", ["train", "test"])
def test_gold_spans_that_the_scheme_does_not_allow_stop_nothing(split: str) -> None:
    wrong = GOLD.clone()
    wrong[3, 1] = 2
    model = build()
    model.on_test_epoch_start()
    loss, count = model.loss_on(batch(wrong), split)
    loss.backward()
    assert loss.isfinite() and count == int(LENGTHS.sum())
    if split == "test":
        assert (
            int(model.spans_of("test")[0].compute().overall.gold) == 7
        )  # six, and one that begins with I-X, as conlleval reads it


@pytest.mark.parametrize(
    ("tags", "message"),
    [(None, "scheme 'BIO' needs tags, the names of all 5, not None"), (TAGS[:3], "tags must be a list of exactly 5 names")],
)
def test_a_scheme_needs_the_names_of_all_tags(tags: list[str] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tagger(VOCABULARY, 5, {"cell": "gru", "hidden_size": 4}, tags=tags, scheme="BIO")


def test_a_checkpoint_of_a_field_loads_without_arguments(tmp_path) -> None:
    import lightning

    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    trainer = lightning.Trainer(accelerator="cpu", max_steps=0, **quiet)
    model = build()
    model.output.field.transitions.data.normal_()
    trainer.strategy.connect(model)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = Tagger.load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True).eval()
    assert torch.equal(again.tag(batch().inputs, LENGTHS), model.eval().tag(batch().inputs, LENGTHS))
