"""MLflow's scoring server for a run's model, which refuses what it cannot answer, in one line and with a code of its own."""

import errno
import json
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.settings.collector import collect_as_usual
from pipelines.tracking.finished import servable
from pipelines.tracking.requests import check_request
from pipelines.tracking.store import client, load_client
from rnn_lightning.hub import local_folder

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response
    from mlflow.pyfunc import PyFuncModel

ADDRESS, JSON = "/invocations", "application/json"
DRAINED = 16
"""Times the size of the largest request that is read to its end, so that its sender reads why it is refused."""


@contextmanager
def model_of_run(folder: Path, limits: Mapping[str, int]) -> Iterator["PyFuncModel"]:
    """The model of an evaluated run's ``folder``, of which a dashboard need not know.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: where a file is damaged.
    """
    made = servable(folder)
    load_client()
    from mlflow import pyfunc
    from mlflow.models import Model

    with tempfile.TemporaryDirectory() as place:
        made.save_model(f"{place}/model", Model())
        yield pyfunc.load_model(f"{place}/model", model_config=dict(limits))


def stored_model(uri: str, limits: Mapping[str, int]) -> "PyFuncModel":
    """The model that ``uri`` names in the dashboard or its registry, such as ``models:/ewt@best``.

    Raises:
        ConnectionError: where the dashboard does not answer.
        ValueError: where it has no such model.
    """
    client()
    from mlflow import pyfunc
    from mlflow.exceptions import MlflowException

    try:
        return pyfunc.load_model(uri, model_config=dict(limits))
    except (MlflowException, OSError, ValueError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"model={uri} is none: {said}; give models:/NAME@ALIAS, or run=FOLDER") from None


@contextmanager
def opened(run: str | None, uri: str | None, limits: Mapping[str, int]) -> Iterator["PyFuncModel"]:
    """The model of a ``run``'s folder, or that of the ``uri``; as `model_of_run` and `stored_model`."""
    if run:
        with model_of_run(local_folder(run), limits) as model:
            yield model
    else:
        yield stored_model(str(uri), limits)


def application(model: "PyFuncModel", max_bytes: int) -> "FastAPI":
    """MLflow's scoring server of ``model``: what is no request of at most ``max_bytes`` does not come to it."""
    from mlflow.pyfunc.scoring_server import init

    app, schema = init(model), model.metadata.get_params_schema()
    parameters = {each.name: each.dtype.name for each in schema or ()}

    @app.middleware("http")
    async def guard(request: "Request", answer: Callable[["Request"], Awaitable[Any]]) -> "Response":
        if request.url.path != ADDRESS or request.method != "POST":
            return await answer(request)
        code, reason = await refusal(request, parameters, max_bytes)
        if code:
            return error_of(code, reason)
        response = await answer(request)
        return response if response.status_code < 400 else await shortened(response)

    return app


async def refusal(request: "Request", parameters: Mapping[str, str], max_bytes: int) -> tuple[int, str]:
    """The status of an answer to what is no request, and the reason; 0 for a request."""
    length, kind = request.headers.get("content-length", ""), request.headers.get("content-type", "")
    if not length.isdecimal():
        return 411, "the request must tell its size in the header Content-Length"
    if int(length) > max_bytes:
        if int(length) <= DRAINED * max_bytes:
            async for _ in request.stream():
                pass
        return 413, f"the request has {length} bytes, and this server reads at most {max_bytes} (max_bytes): send fewer items"
    if kind.partition(";")[0].strip().lower() != JSON:
        return 415, f"the header Content-Type must be {JSON}, not {kind[:80]!r}"
    try:
        check_request(await request.body(), parameters)
    except ValueError as error:
        return 400, str(error)
    return 0, ""


async def shortened(response: Any) -> "Response":
    """An error of MLflow's without the data and the stack trace that it repeats; the trace goes to standard error."""
    body = b"".join([part async for part in response.body_iterator]).decode(errors="replace")
    try:
        answered = json.loads(body)
    except ValueError:
        answered = {"message": body}
    if "stack_trace" in answered:
        print(answered["stack_trace"], file=sys.stderr)
        return error_of(500, "the model could not answer; the server's standard error says why")
    return error_of(response.status_code, str(answered.get("message", "")).rpartition("\nError: ")[2])


def error_of(code: int, reason: str) -> "Response":
    """An answer that says in JSON why there is no other."""
    from fastapi.responses import Response

    kind = "INTERNAL_ERROR" if code >= 500 else "BAD_REQUEST"
    return Response(json.dumps({"error_code": kind, "message": reason}), code, media_type=JSON)


def listening(host: str, port: int) -> socket.socket:
    """A socket of the address; port 0 is any that is free.

    Raises:
        ValueError: where it cannot be had; says whether the host or the port is wrong.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        number = (error.errno or 0) if isinstance(error, OSError) else 0
        is_host = number < 0 or number == errno.EADDRNOTAVAIL  # below 0: no name or address that can be found
        advice = "give an address of this machine, such as host=127.0.0.1" if is_host else "give another port"
        reason = str(error).partition(" (while attempting")[0]
        raise ValueError(f"host={host} port={port} cannot be listened on: {reason}; {advice}") from None


def run_server(app: "FastAPI", listener: socket.socket) -> None:
    """Answer until Ctrl-C."""
    import uvicorn

    collect_as_usual()
    with suppress(KeyboardInterrupt):  # the server gives it on, when the last answer is sent
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
