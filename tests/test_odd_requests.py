"""What is asked of commands, corpora, models and predictors by mistake is refused in a line that says what to do."""

import base64
import errno
import shutil
from pathlib import Path

import pytest
import torch

from pipelines.preprocess import preprocess
from pipelines.settings.compose import compose
from rnn_lightning import Batch, Forecaster, SequenceRegressor
from rnn_lightning.corpora import CorpusError, LabelledText
from rnn_lightning.files import whole_folder
from rnn_lightning.items.inputs import ArrayInputs
from rnn_lightning.items.series import SeriesInputs
from rnn_lightning.predictors import ForecastPredictor, ValuePredictor

GRU = {"cell": "gru", "hidden_size": 4}


def forecasts() -> ForecastPredictor:
    inputs = SeriesInputs(1, {"targets": ["OT"]}, context=3, horizon=2)
    return ForecastPredictor(Forecaster(GRU, 1, ["OT"], 2), inputs, batch_size=4)


@pytest.mark.parametrize("items", [None, 3, "next.csv", b"OT\n1\n"])
def test_what_is_no_list_of_items_is_refused(items: object) -> None:
    with pytest.raises(ValueError, match=r"items must be a list of them, such as predictor\(\[item\]\), not"):
        forecasts()(items)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("item", [[1, 2], 3, None, {"OT": 5}])
def test_an_item_of_another_type_is_refused_with_its_number(item: object) -> None:
    values = ValuePredictor(SequenceRegressor(GRU, 1), ArrayInputs(1), batch_size=4)
    for predictor in (forecasts(), values):
        with pytest.raises(ValueError, match=r"^item 0: "):
            predictor([item])


def test_a_server_takes_the_text_of_a_file_or_its_bytes_in_base64() -> None:
    predictor, text = forecasts(), "OT\n1\n2\n3\n"
    for request in (text, text.replace("\n", "\r\n"), base64.b64encode(text.encode()).decode()):
        (answer,) = predictor([predictor.inputs.from_request(request)])
        assert answer == predictor([{"OT": [1, 2, 3]}])[0]
    assert ArrayInputs(1).from_request("[[1]]") == "[[1]]"
    long = base64.b64encode(("OT\n" + "5\n" * 60_000 + "1\n2\n3\n").encode()).decode()  # more than csv's largest field
    assert predictor([predictor.inputs.from_request(long)]) == predictor([{"OT": [1, 2, 3]}])


@pytest.mark.parametrize("horizon, more", [(2_000_000_000, {}), (2_000, {"highway": 2_000_000_000})])
def test_a_layer_that_no_memory_holds_is_refused(horizon: int, more: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"numbers must fit in .* GB, the memory of this machine"):
        Forecaster({"cell": "gru", "hidden_size": 400}, 2, ["a", "b"], horizon, **more)


def test_a_highway_longer_than_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="highway=9 reads so many last steps of a window, which has 4"):
        Forecaster(GRU, 2, ["a", "b"], 3, highway=9)(torch.zeros(2, 4, 2))


@pytest.mark.parametrize("inputs, lengths", [(torch.zeros(2, 0, 2), None), (torch.zeros(2, 3, 2), torch.tensor([3, 0]))])
def test_nothing_is_told_of_a_row_without_a_step(inputs: torch.Tensor, lengths: torch.Tensor | None) -> None:
    row = 0 if lengths is None else 1
    system, said = SequenceRegressor(GRU, 2), f"row {row} has no step, of which nothing can be told: leave it out"
    with pytest.raises(ValueError, match=said):
        system.regress(inputs, lengths)
    with pytest.raises(ValueError, match=said):
        system.loss_on(Batch(inputs, lengths, torch.zeros(2, 1)), "train")
    assert system.regress(torch.zeros(0, 3, 2)).shape == (0, 1)


def test_a_split_by_a_wrong_name_is_told_the_names() -> None:
    with pytest.raises(ValueError, match="splits may have train, validation, test, and no 'trian'"):
        LabelledText(files="a.csv", text="text", label="label", level="word", splits={"trian": "train"})


def test_an_empty_table_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("")
    corpus = LabelledText(files=str(tmp_path / "a.csv"), text="text", label="label", level="word")
    with pytest.raises(CorpusError, match=r"a\.csv is empty: a file of CSV begins with the names of its columns"):
        corpus.fetch(tmp_path / "raw")
    with pytest.raises(CorpusError, match="raw has no data: fetch the corpus first"):
        corpus.preprocess(tmp_path / "raw", tmp_path / "processed")


def test_preprocess_says_to_fetch_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"data/raw/dates has no data: `python -m pipelines.fetch task=dates` first"):
        preprocess(compose(["task=dates", "rnn=gru"]))


def test_a_full_disk_is_told_with_one_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=5_000_000))
    with (
        pytest.raises(OSError, match="No space left") as raised,
        whole_folder(tmp_path / "a") as folder,
        whole_folder(folder / "b"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(raised.value).count("are free") == 1
