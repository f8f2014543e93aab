"""Sequence to sequence: its laws, its loss against a plain one, its search against its own scores, and what it refuses."""

from itertools import product
from pathlib import Path

import lightning
import pytest
import torch
from corpora import VOCABULARY, write_sequence_pairs
from often import in_turn
from torch import Tensor

from rnn_lightning import Batch, PairModule, Seq2Seq, check_invariance
from rnn_lightning.models.inputs import real_targets
from rnn_lightning.recurrent import CELLS
from rnn_lightning.search import exhaustive_search, score

END, TARGETS = 3, 5
LENGTHS, TARGET_LENGTHS = torch.tensor([6, 1, 4]), torch.tensor([2, 5, 3])
KINDS = [("general", False), ("additive", True), (None, False)]
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


def model(attention: str | None = "general", input_feeding: bool = False, *, cell: str = "lstm", **more) -> Seq2Seq:
    torch.manual_seed(0)
    rnn = {"cell": cell, "hidden_size": 6}
    settings = {"encoder": {"bidirectional": True}, "embedding_size": 5, **more}
    system = Seq2Seq(VOCABULARY, TARGETS, rnn, end=END, attention=attention, input_feeding=input_feeding, **settings)
    for parameter in system.parameters():
        parameter.data *= 2  # so that sequences differ in more than rounding
    return system.double().eval()


def batch() -> Batch:
    draws = torch.Generator().manual_seed(1)
    sources = torch.randint(0, VOCABULARY, (3, 6), generator=draws)
    targets = torch.randint(0, TARGETS - 1, (3, 5), generator=draws)
    targets += targets >= END  # every token but the end, which comes last
    targets[torch.arange(3), TARGET_LENGTHS - 1] = END
    return Batch(sources, LENGTHS, targets, TARGET_LENGTHS)


@torch.no_grad()
def naive_log_probability(system: Seq2Seq, source: Tensor, target: list[int]) -> float:
    """Of one unpadded pair, token by token."""
    memory = system.encode(source.unsqueeze(0))
    state, said, total = system.decoder.start(memory), END, 0.0
    for token in target:
        log_probs, state = system.decoder.step(memory, torch.tensor([said]), state)
        total += float(log_probs[0, token])
        said = token
    return total


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_encoder_keeps_the_laws(cell: str, bidirectional: bool) -> None:
    check_invariance(model(cell=cell, encoder={"bidirectional": bidirectional}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "layernorm_lstm"])
def test_the_loss_is_the_mean_over_real_targets_of_unpadded_pairs(kind: tuple[str | None, bool], cell: str) -> None:
    system, pairs = model(*kind, cell=cell), batch()
    loss, count = system.loss_on(pairs, "val")
    rows = zip(pairs.inputs, LENGTHS, pairs.targets, TARGET_LENGTHS, strict=True)
    each = [naive_log_probability(system, source[:length], target[:size].tolist()) for source, length, target, size in rows]
    assert count == int(TARGET_LENGTHS.sum())
    torch.testing.assert_close(float(loss), -sum(each) / count)
    torch.testing.assert_close(system.log_probabilities(pairs), torch.tensor(each, dtype=torch.float64))


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_neither_loss_nor_gradient(kind: tuple[str | None, bool]) -> None:
    system, pairs = model(*kind), batch()
    losses, gradients = [], []
    for padded in (0, 3):
        more = torch.randint(0, TARGETS, (3, padded))
        longer = pairs._replace(inputs=torch.cat([pairs.inputs, more], 1), targets=torch.cat([pairs.targets, more], 1))
        system.zero_grad()
        loss, _ = system.loss_on(longer, "val")
        loss.backward()
        losses.append(loss.detach())
        gradients.append([parameter.grad.clone() for parameter in system.parameters()])
    torch.testing.assert_close(losses[1], losses[0])
    torch.testing.assert_close(gradients[1], gradients[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "layernorm_lstm"])
@pytest.mark.parametrize("coverage", [0.0, 0.5])
def test_a_wide_beam_finds_what_enumeration_finds(kind: tuple[str | None, bool], cell: str, coverage: float) -> None:
    if coverage and kind[0] is None:
        pytest.skip("without attention nothing is covered")
    system, pairs = model(*kind, cell=cell), batch()
    found = system.translate(pairs.inputs, LENGTHS, beam_size=TARGETS**3, n_best=4, max_length=4, coverage=coverage)
    memory = system.encode(pairs.inputs, LENGTHS)
    first = torch.full((3,), END)
    exact = exhaustive_search(system.stepper(memory), system.decoder.start(memory), first, end=END, max_length=4, n_best=200)
    for row in range(3):
        expected = list(zip(*(part[row].tolist() for part in (exact.tokens, exact.lengths, exact.log_probs)), strict=True))
        if coverage:
            expected = rerank(system, pairs.inputs[row, : LENGTHS[row]], expected, coverage)
        for rank, (tokens, length, log_prob) in enumerate(expected[:4]):
            assert found.tokens[row, rank, :length].tolist() == tokens[:length]
            torch.testing.assert_close(float(found.log_probs[row, rank]), log_prob)


def rerank(system: Seq2Seq, source: Tensor, known: list, strength: float) -> list:
    """All hypotheses of a source by log-probability and how well they cover it."""

    def covered(tokens: list[int], length: int) -> float:
        weights = system.attend(source.unsqueeze(0), None, torch.tensor([tokens[:length]]))
        return strength * float(weights[0].sum(0).clamp(max=1).log().sum())

    reached = [each for each in known if each[1] > 0]
    return sorted(reached, key=lambda each: -(each[2] + covered(each[0], each[1])))


@pytest.mark.parametrize("kind", KINDS)
def test_a_translation_does_not_depend_on_its_batch_and_scores_as_the_teacher_would(kind: tuple[str | None, bool]) -> None:
    system, pairs = model(*kind), batch()
    together = system.translate(pairs.inputs, LENGTHS, beam_size=3, n_best=2, max_length=7)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = system.translate(pairs.inputs[row : row + 1, :length], beam_size=3, n_best=2, max_length=7)
        torch.testing.assert_close(alone.scores[0], together.scores[row])
        for rank in range(2):
            size = int(together.lengths[row, rank])
            tokens = together.tokens[row, rank, :size].tolist()
            assert alone.tokens[0, rank, :size].tolist() == tokens
            expected = naive_log_probability(system, pairs.inputs[row, :length], tokens)
            torch.testing.assert_close(float(together.log_probs[row, rank]), expected)


def test_scoring_by_steps_equals_scoring_at_once() -> None:
    system, pairs = model("additive", True), batch()
    memory = system.encode(pairs.inputs, LENGTHS)
    first = torch.full((3,), END)
    by_steps = score(system.stepper(memory), system.decoder.start(memory), first, pairs.targets, TARGET_LENGTHS)
    torch.testing.assert_close(by_steps, system.log_probabilities(pairs))


def test_an_empty_source_gives_a_finite_loss_and_some_translation() -> None:
    system, pairs = model(), batch()
    empty = pairs._replace(lengths=torch.tensor([0, 2, 0]))
    loss, _ = system.loss_on(empty, "train")
    loss.backward()
    assert all(torch.isfinite(part.grad).all() for part in system.parameters() if part.grad is not None)
    assert (system.translate(empty.inputs, empty.lengths).lengths[:, 0] > 0).all()


def test_own_tokens_are_read_as_often_as_scheduled_sampling_says() -> None:
    system, pairs = model(scheduled_sampling={"probability": 1.0, "steps": 1}), batch()
    memory, targets = system.encode(pairs.inputs, LENGTHS), real_targets(pairs.targets, TARGET_LENGTHS, TARGETS)
    forced = system.teacher_forced(memory, targets, 0.0).features
    torch.testing.assert_close(system.teacher_forced(memory, targets, 1e-9).features, forced)
    own = system.teacher_forced(memory, targets, 1.0).features
    token, state = torch.full((3,), END), system.decoder.start(memory)
    for time in range(targets.shape[1]):  # reading its own likeliest token is greedy search
        log_probs, state = system.decoder.step(memory, token, state)
        torch.testing.assert_close(system.decoder.output(own[:, time]).log_softmax(-1), log_probs)
        token = log_probs.argmax(1)
    assert not torch.allclose(own, forced)


def test_label_smoothing_is_for_training_alone() -> None:
    plain, smooth, pairs = model(), model(label_smoothing=0.2), batch()
    assert torch.equal(plain.loss_on(pairs, "val")[0], smooth.loss_on(pairs, "val")[0])
    assert not torch.allclose(plain.loss_on(pairs, "train")[0], smooth.loss_on(pairs, "train")[0])


@pytest.mark.parametrize("cell, feeding, tied", [*product(["lstm", "elman"], [False, True], [False, True])])
def test_encoder_and_decoder_may_differ_in_anything(cell: str, feeding: bool, tied: bool) -> None:
    networks = {"encoder": {"cell": "gru", "num_layers": 2, "hidden_size": 3}, "decoder": {"cell": cell, "hidden_size": 7}}
    system = model("general", feeding, tied=tied, **networks)
    loss, _ = system.loss_on(batch(), "train")
    loss.backward()
    assert all(parameter.grad is not None for parameter in system.parameters())


def test_shared_embeddings_are_one() -> None:
    torch.manual_seed(0)
    system = Seq2Seq(7, 7, {"cell": "gru", "hidden_size": 4}, end=0, embedding_size=4, shared=True, tied=True)
    assert system.embedding.weight is system.decoder.embedding.weight is system.decoder.output.weight


@pytest.mark.parametrize(("kind", "cell"), in_turn(KINDS, [*CELLS]))
def test_it_trains_and_comes_back_from_its_checkpoint(tmp_path: Path, kind: tuple[str | None, bool], cell: str) -> None:
    torch.manual_seed(0)
    system = Seq2Seq(
        VOCABULARY, VOCABULARY, {"cell": cell, "hidden_size": 4}, end=VOCABULARY - 1, attention=kind[0], input_feeding=kind[1]
    )
    trainer = lightning.Trainer(accelerator="cpu", max_epochs=1, limit_train_batches=3, limit_val_batches=1, **QUIET)
    before = {name: part.detach().clone() for name, part in system.named_parameters()}
    trainer.fit(system, PairModule(write_sequence_pairs(tmp_path), batch_size=8))
    still = {name for name, part in system.named_parameters() if torch.equal(part, before[name])}
    # A decoder without memory forgets the summary that it is told first; if it may not look back, no source is left.
    forgotten = ("decoder.enter", *(() if kind[0] else ("encoder", "embedding"))) if cell == "feedforward" else ()
    assert all(name.startswith(forgotten) for name in still)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = Seq2Seq.load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True).eval()
    sources = torch.randint(0, VOCABULARY, (2, 7))
    torch.testing.assert_close(again.translate(sources)._asdict(), system.eval().translate(sources)._asdict())


def test_it_learns_to_reverse() -> None:
    torch.manual_seed(0)
    system = Seq2Seq(8, 9, {"cell": "gru", "hidden_size": 32}, end=8, encoder={"bidirectional": True}, embedding_size=16)
    optimizer = torch.optim.Adam(system.parameters(), 0.01)
    for _ in range(150):
        sources = torch.randint(0, 8, (32, 5))
        targets = torch.cat([sources.flip(1), torch.full((32, 1), 8)], 1)
        loss, _ = system.loss_on(Batch(sources, None, targets), "train")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    sources = torch.randint(0, 8, (100, 5))
    found = system.eval().translate(sources, beam_size=2)
    right = (found.lengths[:, 0] == 6) & (found.tokens[:, 0, :5] == sources.flip(1)).all(1)
    assert right.float().mean() > 0.95


GRU = {"cell": "gru", "hidden_size": 4}
REFUSED = {
    "end": (lambda: Seq2Seq(9, 9, GRU, end=9), r"end must be a whole number of 0 to 8, not 9"),
    "shared": (lambda: Seq2Seq(9, 8, GRU, end=0, shared=True), "same tokens on both sides, not 9 and 8"),
    "size": (lambda: Seq2Seq(0, 8, GRU, end=0), "vocab_size must be a whole number of at least 1, not 0"),
    "ahead": (lambda: Seq2Seq(9, 8, {**GRU, "bidirectional": True}, end=0), "a decoder must not read ahead"),
    "smoothing": (lambda: Seq2Seq(9, 8, GRU, end=0, label_smoothing=1), r"label_smoothing must be a number in \[0, 1\), not 1"),
    "sampling": (lambda: Seq2Seq(9, 8, GRU, end=0, scheduled_sampling={"probability": 2, "steps": 5}), "probability must be"),
    "coverage": (
        lambda: Seq2Seq(9, 8, GRU, end=0, attention=None).translate(torch.zeros(1, 1).long(), coverage=1.0),
        "coverage counts what attention looked at",
    ),
    "source": (lambda: model().translate(torch.tensor([[1, VOCABULARY]])), f"token {VOCABULARY} in row 0, step 1"),
    "target": (
        lambda: model().loss_on(batch()._replace(targets=torch.full((3, 5), TARGETS)), "train"),
        f"target {TARGETS} in row 0, step 0",
    ),
    "length": (lambda: model().translate(torch.zeros(1, 3).long(), torch.tensor([4])), r"lengths\[0\] is 4"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_by_name(name: str) -> None:
    action, said = REFUSED[name]
    with pytest.raises(ValueError, match=said):
        action()
