"""Dashboards that fail in every way, and a training in a process of its own that meets one."""

import os
import resource
import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

ADDING = [
    "name=small",
    "task=adding",
    "rnn=elman",
    "task.corpus.rows={train:300,validation:40,test:50}",
    "task.corpus.steps=6",
    "task.training.epochs=4",
    "task.training.validate_every=3",
    "task.parameters=300",
    "trainer.checkpoint_seconds=0",
]
ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def train(place: Path, uri: str, pause: float = 0.0, stop_at: int = -1) -> None:
    """Train in ``place``; each step takes ``pause`` longer, and at ``stop_at`` the training waits for a file ``on``."""
    begin(place, uri)
    from pipelines.settings.compose import compose
    from pipelines.tracking import courier
    from pipelines.training.run import train_one
    from rnn_lightning import SequenceClassifier

    courier.BETWEEN = 0.05
    original: Callable[..., Any] = SequenceClassifier.training_step

    def step(self: SequenceClassifier, batch: Any, batch_idx: int) -> Any:
        time.sleep(pause)
        if batch_idx == stop_at:
            Path("stopped").touch()
            while not Path("on").exists():
                time.sleep(0.01)
        return original(self, batch, batch_idx)

    SequenceClassifier.training_step = step
    waits: list[float] = []
    attempt = courier.Courier.attempt

    def timed(self: courier.Courier, patience: float) -> bool:
        before = self.silent
        done = attempt(self, patience)
        waits.append(self.silent - before)
        return done

    courier.Courier.attempt = timed
    train_one(compose(ADDING), 1)
    Path("waited").write_text(str(sum(waits)))


def train_on_full_disk(place: Path, uri: str) -> None:
    """Train where no file may be larger than 200 kB, which is less than an empty store takes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    train(place, uri)


def deliver(place: Path, uri: str) -> None:
    """Do what ``python -m pipelines.publish`` does where no run is evaluated."""
    begin(place, uri)
    from pipelines.publish import publish

    publish(Path("runs"), conf=Path("conf"), data=Path("data"))


def flush(place: Path, uri: str) -> None:
    """Do what every command does at its end."""
    begin(place, uri)
    from pipelines import tracking

    tracking.flush()


def begin(place: Path, uri: str) -> None:
    os.chdir(place)
    os.environ["MLFLOW_TRACKING_URI"] = uri


class Relay:
    """A TCP port that leads to another one, until it dies; or, without a ``target``, answers each request by ``answer``.

    With neither it takes connections and never says a word.
    """

    def __init__(self, target: int | None = None, answer: bytes = b"", after: float = 0.0) -> None:
        self.target, self.answer, self.after = target, answer, after
        self._open: list[socket.socket] = []
        self.port = 0
        self.live()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def live(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def die(self) -> None:
        """Refuse every connection from now on, and cut those that there are."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._open:
            with suppress(OSError, ValueError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open.clear()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError, ValueError):
            while True:
                connection, _ = listening.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError):
            if self.target is not None:
                other = socket.create_connection(("127.0.0.1", self.target))
                self._open.append(other)
                _exchange(connection, other)
            elif self.answer:
                connection.recv(1 << 16)
                time.sleep(self.after)
                connection.sendall(self.answer)
                connection.close()


def _exchange(one: socket.socket, other: socket.socket) -> None:
    with selectors.DefaultSelector() as ready:
        ready.register(one, selectors.EVENT_READ, other)
        ready.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in ready.select():
                data = key.fileobj.recv(1 << 16)  # pyright: ignore[reportAttributeAccessIssue]
                if not data:
                    one.close()
                    other.close()
                    return
                key.data.sendall(data)
