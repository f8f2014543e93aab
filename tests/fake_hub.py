"""A Hugging Face Hub of one data set on 127.0.0.1, as much of it as the client asks for, with faults on request.

    python fake_hub.py FAULT CMD ...    runs CMD with HF_ENDPOINT set to it, and ends with CMD's exit code

FAULT is a JSON object: ``{"fail": [3, 4]}`` answers these requests (from 1) with HTTP 503, ``{"cut": true}`` drops every
second file body half way, ``{"gone_after": 5}`` hangs up on all later requests, ``{"rows": {"train": ["..."], ...}}``
serves other text.
"""

import io
import json
import os
import subprocess
import sys
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import pyarrow
from pyarrow import parquet

REPOSITORY = "tiny/lines"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROWS = {
    "train": [" the cat sat on the mat \n", "", " a <unk> sat by the cat \n", " the cat sat on the mat \n"],
    "validation": [" the cat sat on a hat \n", ""],
    "test": [" the cat sat on the mat \n", " by the way , a mat sat \n"],
}


def repository_files(rows: dict[str, list[str]]) -> dict[str, bytes]:
    """The bytes of each file by its path."""
    files = {"README.md": b"---\nlicense: cc0-1.0\n---\n\n# Lines\n"}
    for split, texts in rows.items():
        buffer = io.BytesIO()
        parquet.write_table(pyarrow.table({"text": pyarrow.array(texts, pyarrow.string())}), buffer)
        files[f"data/{split}-00000-of-00001.parquet"] = buffer.getvalue()
    return files


class FakeHub(BaseHTTPRequestHandler):
    """One request; files, faults and counters belong to the class."""

    protocol_version = "HTTP/1.1"
    files = repository_files(ROWS)
    fault: ClassVar[dict[str, Any]] = {}
    requests = count(1)
    bodies = count(1)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        number = next(self.requests)
        if number > self.fault.get("gone_after", number):
            self.close_connection = True
        elif number in self.fault.get("fail", []):
            self._answer(503, b"busy")
        else:
            self._route(unquote(urlsplit(self.path).path))

    def _route(self, path: str) -> None:
        api, files = f"/api/datasets/{REPOSITORY}", f"/datasets/{REPOSITORY}/resolve/"
        if not path.startswith((api, files)):
            self._refuse("RepoNotFound")
        elif path.startswith(files):
            revision, _, name = path.removeprefix(files).partition("/")
            self._file(revision, name)
        elif path.startswith(f"{api}/tree/"):
            self._tree(path.removeprefix(f"{api}/tree/").partition("/")[2])
        else:
            siblings = [{"rfilename": name} for name in self.files]
            self._json({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings})

    def _file(self, revision: str, name: str) -> None:
        if revision not in ("main", COMMIT):
            self._refuse("RevisionNotFound")
        elif name not in self.files:
            self._refuse("EntryNotFound")
        else:
            body = self.files[name]
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
            headers = {"ETag": f'"{sha256(body).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self._answer(206 if start else 200, body[start:], headers, may_cut=True)

    def _tree(self, folder: str) -> None:
        inside = {name: body for name, body in self.files.items() if name.rpartition("/")[0] == folder}
        entries = [
            {"type": "file", "path": name, "size": len(body), "oid": sha256(body).hexdigest()} for name, body in inside.items()
        ]
        self._json(entries if folder else [*entries, {"type": "directory", "path": "data", "oid": "0"}])

    def _json(self, content: object) -> None:
        self._answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _refuse(self, code: str) -> None:
        self._answer(404, b"", {"X-Error-Code": code, "X-Error-Message": code})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, may_cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            cut = may_cut and self.fault.get("cut", False) and next(self.bodies) % 2
            self.wfile.write(body[: len(body) // 2] if cut else body)
            self.close_connection = self.close_connection or bool(cut)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def main(fault: dict[str, Any], command: list[str]) -> int:
    """Serve while ``command`` runs."""
    FakeHub.fault = fault
    FakeHub.files = repository_files(fault.get("rows", ROWS))
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    return subprocess.run(command, env={**os.environ, "HF_ENDPOINT": endpoint}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), sys.argv[2:]))
