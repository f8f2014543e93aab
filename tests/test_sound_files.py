"""Sound files of every container that is read: whole ones whatever their header says, none that is cut short."""

import io

import numpy as np
import pytest
import soundfile

from rnn_lightning.audio import CONTAINERS
from rnn_lightning.corpora.signals import samples_of

SUBTYPES = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}


def encoded(form: str, samples: int = 16000) -> bytes:
    buffer = io.BytesIO()
    values = (0.3 * np.sin(np.arange(samples) * 0.05)).astype(np.float32)
    soundfile.write(buffer, values, 16000, format=form, subtype=SUBTYPES.get(form, "PCM_16"))
    return buffer.getvalue()


@pytest.mark.parametrize("form", sorted({*CONTAINERS} - {"MP3"}))  # libsndfile reads some MP3 files from disk only
def test_a_whole_file_is_read(form: str) -> None:
    assert len(samples_of(encoded(form), 16000)) == 16000


@pytest.mark.parametrize("form", CONTAINERS)
@pytest.mark.parametrize("share", [0.1, 0.6, 0.9, 0.99])
def test_a_cut_file_is_refused(form: str, share: float) -> None:
    whole = encoded(form)
    with pytest.raises(ValueError, match=r"^it is cut short|^it is no sound that can be read"):
        samples_of(whole[: int(len(whole) * share)], 16000)


@pytest.mark.parametrize("more", [8, -8, 1])
def test_the_size_of_the_whole_does_not_decide(more: int) -> None:
    whole = bytearray(encoded("WAV"))
    whole[4:8] = (int.from_bytes(whole[4:8], "little") + more).to_bytes(4, "little")
    assert len(samples_of(bytes(whole), 16000)) == 16000


def test_what_stands_behind_the_samples_may_be_missing() -> None:
    chunk = b"LIST" + (100).to_bytes(4, "little") + b"INFO"
    assert len(samples_of(encoded("WAV") + chunk, 16000)) == 16000


@pytest.mark.parametrize(("form", "place"), [("WAV", b"data"), ("AU", b".snd\0\0\0\x18")])
def test_a_size_that_is_left_open_is_warned_of(form: str, place: bytes) -> None:
    whole = bytearray(encoded(form))
    at = whole.index(place) + len(place)
    whole[at : at + 4] = b"\xff" * 4
    with pytest.warns(UserWarning, match=r"a sound file does not say how long it is; it is taken to be whole$"):
        assert len(samples_of(bytes(whole), 16000)) == 16000


@pytest.mark.parametrize("form", ["W64", "VOC", "NIST", "SVX", "MAT5"])
def test_what_cannot_be_checked_is_refused(form: str) -> None:
    with pytest.raises(ValueError, match=rf"^whether {form} is complete cannot be checked: convert it to WAV or FLAC$"):
        samples_of(encoded(form), 16000)


def test_sound_that_does_not_say_how_many_samples_it_has_is_refused() -> None:
    flac = bytearray(encoded("FLAC"))
    flac[22:26], flac[21] = b"\0\0\0\0", flac[21] & 0xF0
    with pytest.raises(ValueError, match=r"^it does not say how many samples it has|^it is no sound"):
        samples_of(bytes(flac), 16000)
    mp3 = encoded("MP3").replace(b"Info", b"\0\0\0\0").replace(b"Xing", b"\0\0\0\0")
    with pytest.raises(ValueError, match=r"^it is an MP3 file that does not say how long it is"):
        samples_of(mp3, 16000)
