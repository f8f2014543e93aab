"""Load on ``rnn serve``: ``python -m benchmarks.serving runs/ewt/bilstm/1 < lines`` adds a row to benchmarks/serving.json.

Clients on this machine send one request after the other, of some of the ``lines`` each, as long as ``--seconds`` says;
then come malformed requests, drawn from a seed, and one that is right. The server is a process; all share the cores.
"""

import argparse
import http.client
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import store
from rnn_lightning.files import read_json

HEADERS = {"Content-Type": "application/json"}
PATIENCE = 120


@contextmanager
def served(run: str, port: int) -> Iterator[None]:
    """A server of the run, once it answers."""
    with subprocess.Popen([sys.executable, "-m", "pipelines.serve", f"run={run}", f"port={port}"]) as process:
        began = time.monotonic()
        while process.poll() is None and time.monotonic() < began + PATIENCE:
            try:
                if ask(port, b"", "/ping", "GET")[0] == 200:
                    break
            except OSError:
                time.sleep(0.2)
        yield
        process.terminate()


def ask(port: int, body: bytes, path: str = "/invocations", method: str = "POST") -> tuple[int, bytes]:
    """The status and the body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, HEADERS)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def load(port: int, lines: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """Send requests from all clients for some seconds; what came back, and after how long."""
    taken: list[float] = []
    statuses: Counter[int] = Counter()
    end = time.monotonic() + options.seconds

    def client(number: int) -> None:
        draws = random.Random(number)
        while time.monotonic() < end:
            body = json.dumps({"inputs": draws.choices(lines, k=options.items)}).encode()
            began = time.perf_counter()
            statuses[ask(port, body)[0]] += 1
            taken.append(time.perf_counter() - began)

    clients = [threading.Thread(target=client, args=(number,)) for number in range(options.clients)]
    began = time.perf_counter()
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    whole = time.perf_counter() - began
    percentiles = dict(zip(("p50", "p95", "p99"), (1000 * np.percentile(taken, [50, 95, 99])).round(1).tolist(), strict=True))
    return {
        "clients": options.clients,
        "items_of_a_request": options.items,
        "seconds": round(whole, 1),
        "answers": {str(status): count for status, count in sorted(statuses.items())},
        "items_per_second": round(statuses[200] * options.items / whole),
        "milliseconds": percentiles,
    }


def malformed(draws: random.Random, lines: Sequence[str]) -> bytes:
    """A request that is wrong: cut, changed in a byte that matters, of other types, or noise."""
    right = json.dumps({"inputs": draws.choices(lines, k=2)}).encode()
    wrong: Any = draws.choice([None, 3, True, [], {"a": 1}, [1], [None], [["a"]]])
    return draws.choice([
        right[: draws.randrange(len(right))],
        draws.randbytes(draws.randrange(1, 200)),
        json.dumps({"inputs": wrong if wrong != [] else None}).encode(),
        json.dumps({draws.choice(["input", "instances", "x" * 50]): ["a"]}).encode(),
        json.dumps({"inputs": ["a"], "params": draws.choice([3, [1], {"nosuch": 1}, {"batch_size": "x"}])}).encode(),
        right + draws.choice([b"}", b"[]", b"\xff", b"x"]),
        b'{"inputs": ["' + draws.choice([b"\xff", b"\x00", b"\\ud800"]) + b'"]}',
    ])  # fmt: skip


def refusals(port: int, lines: Sequence[str], count: int) -> dict[str, Any]:
    """The statuses of malformed requests, and how many of these say no reason."""
    draws, statuses, silent = random.Random(1), Counter[int](), 0
    for _ in range(count):
        status, answer = ask(port, malformed(draws, lines))
        statuses[status] += 1
        silent += not json.loads(answer).get("message") or b"Traceback" in answer
    after = ask(port, json.dumps({"inputs": [lines[0]]}).encode())[0]
    return {"malformed": dict(sorted((str(status), n) for status, n in statuses.items())), "silent": silent, "after": after}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="the folder of an evaluated run")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--items", type=int, default=32, help="of a request")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--malformed", type=int, default=500)
    parser.add_argument("--port", type=int, default=5055)
    options = parser.parse_args()
    lines = [line for line in sys.stdin.read().splitlines() if line.strip()]
    with served(options.run, options.port):
        row = load(options.port, lines, options) | refusals(options.port, lines, options.malformed)
    print(json.dumps(row))
    file = Path(__file__).with_suffix(".json")
    rows = read_json(file)["runs"] if file.exists() else {}
    name = "/".join(Path(options.run).parts[-3:])
    store(__file__, {"runs": {**rows, name: row}})


if __name__ == "__main__":
    main()
