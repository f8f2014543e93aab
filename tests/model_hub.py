"""A Hugging Face Hub of models on 127.0.0.1, as much of it as the client asks for to upload and download small files."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit


class ModelHub(BaseHTTPRequestHandler):
    """One request; repositories belong to the class: by name whether private, and by branch the files."""

    protocol_version = "HTTP/1.1"
    private: ClassVar[dict[str, bool]] = {}
    branches: ClassVar[dict[str, dict[str, dict[str, bytes]]]] = {}
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.asked.append(path)
        if path.startswith("api/models/"):
            owner, name, *rest = path.split("/")[2:]
            files = self.files_at(f"{owner}/{name}", rest[1] if rest else "main")
            if files is not None and rest[:1] == ["tree"]:
                self.answer([self.entry(name, body) for name, body in files.items()])
            elif files is not None:
                siblings = [{"rfilename": file} for file in files]
                private = self.private[f"{owner}/{name}"]
                self.answer({"id": f"{owner}/{name}", "sha": commit_of(files), "private": private, "siblings": siblings})
        else:
            owner, name, _, revision, file = path.split("/")
            if (files := self.files_at(f"{owner}/{name}", revision)) is not None:
                self.send_file(files, file)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(urlsplit(self.path).path).strip("/")
        if path == "api/repos/create":
            self.create(json.loads(body))
            return
        if path == "api/validate-yaml":
            self.answer({"warnings": [], "errors": []})
            return
        owner, name, what, revision = path.split("/")[2:]
        repository = f"{owner}/{name}"
        if what == "branch":
            self.branches[repository].setdefault(revision, dict(self.branches[repository]["main"]))
            self.answer({})
        elif what == "preupload":
            self.answer(
                {"files": [{**each, "uploadMode": "regular", "shouldIgnore": False} for each in json.loads(body)["files"]]}
            )
        else:
            lines = [json.loads(line) for line in body.splitlines()]
            given = {line["value"]["path"]: line["value"]["content"] for line in lines if line["key"] == "file"}
            files = self.branches[repository][revision]
            files.update({file: base64.b64decode(content) for file, content in given.items()})
            self.answer({"commitUrl": f"{self.endpoint}/{repository}/commit/{commit_of(files)}", "commitOid": commit_of(files)})

    @property
    def endpoint(self) -> str:
        return f"http://{self.headers['Host']}"

    def create(self, asked: dict[str, Any]) -> None:
        repository = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
        url = {"url": f"{self.endpoint}/{repository}"}
        if repository in self.branches:
            self.answer(url, 409)
            return
        self.private[repository] = bool(asked.get("private") or asked.get("visibility") == "private")
        self.branches[repository] = {"main": {}}
        self.answer(url)

    def files_at(self, repository: str, revision: str) -> dict[str, bytes] | None:
        """The files at a branch or commit; where there is none, that is answered."""
        branches = self.branches.get(repository)
        for name, files in (branches or {}).items():
            if revision in (name, commit_of(files)):
                return files
        self.answer({}, 404, {"X-Error-Code": "RepoNotFound" if branches is None else "RevisionNotFound"})
        return None

    @staticmethod
    def entry(name: str, body: bytes) -> dict[str, Any]:
        return {"type": "file", "path": name, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}

    def send_file(self, files: dict[str, bytes], name: str) -> None:
        body = files[name]
        self.answer(body, 200, {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', "X-Repo-Commit": commit_of(files)})

    def answer(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def commit_of(files: dict[str, bytes]) -> str:
    """The name of a commit, from what it holds."""
    return hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()


@contextmanager
def serving() -> Iterator[str]:
    """The address of an empty Hub in the block."""
    ModelHub.private.clear()
    ModelHub.branches.clear()
    ModelHub.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), ModelHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
