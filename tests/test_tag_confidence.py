"""How sure a tagger is of each tag: sums over all sequences of tags, by PyTorch and by NumPy, and as answers show them."""

import numpy as np
import pytest
import torch
from crf_oracles import constraints_of, enumerate_all, random_field, random_rows

from rnn_lightning import Tagger
from rnn_lightning.corpora.lexicon import Lexicon
from rnn_lightning.models.tag_output import CRFOutput
from rnn_lightning.predictors import TaggingPredictor
from rnn_lightning.runtime.viterbi import marginals

TAGS = ["O", "B-PER", "I-PER"]
LENGTHS = torch.tensor([5, 2, 0, 4])
WORDS = torch.randint(7, (4, 5), generator=torch.Generator().manual_seed(1))


def tagger(output: str) -> Tagger:
    torch.manual_seed(0)
    made = Tagger(7, 3, {"cell": "gru", "hidden_size": 4, "bidirectional": True}, output=output, tags=TAGS, scheme="BIO")
    for parameter in made.output.parameters():
        torch.nn.init.normal_(parameter)
    return made.double().eval()


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_confidences_are_sums_over_all_sequences(output: str) -> None:
    system = tagger(output)
    tags, confidence = system.tag_with_confidence(WORDS, LENGTHS)
    emissions, _ = system(WORDS, LENGTHS)
    assert torch.equal(tags, system.tag(WORDS, LENGTHS))
    for row, length in enumerate(LENGTHS.tolist()):
        expected = emissions[row, :length].softmax(1)
        if isinstance(system.output, CRFOutput):
            field = system.output.field
            expected = enumerate_all(field, constraints_of(field), emissions[row, :length]).tag_counts(length, 3)
        of_tags = expected.gather(1, tags[row, :length, None]).squeeze(1) if length else torch.zeros(0)
        torch.testing.assert_close(confidence[row, :length], of_tags.to(confidence), rtol=1e-9, atol=1e-9)
        assert not confidence[row, length:].any()


@pytest.mark.parametrize("constrained", [False, True])
def test_numpy_finds_the_marginals_of_a_field(constrained: bool) -> None:
    field, (emissions, lengths) = random_field(2, 4, constrained=constrained), random_rows(2, 4)
    expected, scores = field.marginals(emissions, lengths), field.transition_scores(torch.float64).detach().numpy()
    for row, length in enumerate(lengths.tolist()):
        if length and expected[row].any():
            found = marginals(emissions[row, :length].numpy(), scores)
            np.testing.assert_allclose(found, expected[row, :length].numpy(), rtol=1e-9, atol=1e-12)


def test_no_sequence_has_no_marginals() -> None:
    with pytest.raises(FloatingPointError, match="no sequence of tags is allowed"), np.errstate(invalid="ignore"):
        marginals(np.zeros((2, 2), np.float32), np.full((3, 3), -np.inf, np.float32))


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_answers_show_confidences_where_they_are_asked_for(output: str) -> None:
    lexicon = Lexicon(["ada", "sat", "on", "a", "mat", "."], ["a", "d", "s", "t"], TAGS, lowercase=True)
    plain, sure = (TaggingPredictor(tagger(output).float(), lexicon, confidence=sure) for sure in (False, True))
    lines = ["Ada sat.", "", "a mat"]
    for answer, without in zip(sure(lines), plain(lines), strict=True):
        confidence = answer.pop("confidence")
        assert answer == without and len(confidence) == len(answer["words"]) and all(0 < each <= 1 for each in confidence)
    (answer,) = sure(["Ada sat."])
    rows = [line.split("\t") for line in sure.text(answer, "conll").splitlines()]
    assert [row[:2] for row in rows] == [line.split("\t") for line in plain.text(answer, "conll").splitlines()]
    assert [float(row[2]) for row in rows] == pytest.approx(answer["confidence"], abs=1e-4)
    assert sure.text(answer, "text") == plain.text(answer, "text")
    with pytest.raises(ValueError, match="confidence must be true or false, not 'yes'"):
        TaggingPredictor(tagger(output), lexicon, confidence="yes")  # type: ignore[arg-type]
