"""What the model server runs, for every kind: items in, each a string, and answers out, each a JSON object.

A request is ``{"inputs": ["...", "..."], "params": {"beam_size": 8}}``. An item is text; numbers of tokens with blanks between;
an array (T, F) or the strokes of a pen in JSON; the bytes of a sound or picture file in base64; or, of forecasts, the text of
a CSV file, or its bytes in base64. No item names a file of the server. ``params`` may be left out: they are options
of the predictor, and the model's signature lists them.
The answers, ``{"predictions": [{...}, {...}]}``, are those of ``rnn_lightning.load_predictor`` with these options. All items of
a request are answered in batches, and requests one after another.
"""

import threading
from functools import lru_cache
from typing import Any

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

KEPT = 4
"""Predictors that are kept loaded, each with options of its own."""


class Server(PythonModel):
    """Answers by the predictor whose files are the model's artifacts; needs no package but those of the library.

    Its configuration limits requests: ``max_items``, ``max_steps`` of an item or of a text that is found, ``max_beam``.
    """

    def load_context(self, context: PythonModelContext) -> None:
        from pathlib import Path

        from rnn_lightning import load_predictor

        folder = Path(context.artifacts["predictor.json"]).parent
        self.limits = dict(context.model_config or {})
        self.lock = threading.Lock()
        self.load = lru_cache(KEPT)(lambda options: load_predictor(folder, **dict(options)))
        self.load(())

    def predict(self, context: PythonModelContext, model_input: list[str], params: dict[str, Any] | None = None):  # pyright: ignore[reportIncompatibleMethodOverride]
        """The answers, a list of dicts (which the signature leaves out: MLflow warns of values of any type)."""
        from mlflow.exceptions import MlflowException

        from rnn_lightning.items.limits import check_limit, check_options

        options = {name: value for name, value in (params or {}).items() if value is not None}
        try:
            check_limit("inputs: items", len(model_input), "max_items", self.limits)
            check_options(options, self.limits)
            with self.lock:  # a predictor answers one call at a time
                predictor = self.load(tuple(sorted(options.items())))
                encoded = predictor.encoded(model_input, requested=True)
                for number, item in enumerate(encoded):
                    check_limit(f"item {number}: steps", len(item.steps), "max_steps", self.limits)
                return predictor.answer(encoded)
        except ValueError as error:  # MLflow shows its own exceptions, of others only that there was one
            raise MlflowException.invalid_parameter_value(str(error)) from None


set_model(Server())
