"""Bad requests to a model server that takes arrays: by name the body, and what the one line that refuses it must say."""

import json
from typing import Any


def of(*items: Any, **more: Any) -> bytes:
    """A request with these ``items``."""
    return json.dumps({"inputs": items, **more}).encode()


BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "the request is empty"),
    "blanks": (b" \n ", "the request is empty"),
    "no JSON": (b"inputs=[[0.5, 1]]", "the request is no JSON: Expecting value"),
    "half": (of("[[1, 2]]")[:-2], "the request is no JSON"),
    "two": (of("[[1, 2]]") * 2, "the request is no JSON: Extra data"),
    "not UTF-8": (b'{"inputs": ["\xff"]}', "the request is not UTF-8 at byte 13"),
    "UTF-16": ('{"inputs": []}'.encode("utf-16"), "the request is not UTF-8 at byte 0"),
    "UTF-16 without a mark": ('{"inputs": []}'.encode("utf-16-le"), "the request is no JSON"),
    "NaN": (b'{"inputs": [NaN]}', "the request is no JSON: NaN is no value of JSON"),
    "infinity": (b'{"inputs": ["[[1, 2]]"], "params": {"x": -Infinity}}', "-Infinity is no value of JSON"),
    "an endless number": (b'{"inputs": [%s]}' % (b"9" * 5000), "the request is no JSON"),
    "nested lists": (b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "the request is nested too deeply"),
    "nested objects": (b'{"a": ' * 50_000 + b"1" + b"}" * 50_000, "the request is nested too deeply"),
    "null": (b"null", "the request must be an object"),
    "a number": (b"3", "the request must be an object"),
    "text": (b'"[[0.5, 1]]"', "the request must be an object"),
    "a list": (b'["[[0.5, 1]]"]', "the request must be an object"),
    "a key twice": (b'{"inputs": ["[[1, 2]]"], "inputs": ["[[3, 4]]"]}', "the request is no JSON: a key is given twice"),
    "no key": (b"{}", "inputs must be a list of strings"),
    "a wrong key": (b'{"input": ["[[0.5, 1]]"]}', "a request has inputs and params, and no 'input'"),
    "another key": (of("[[0.5, 1]]", seed=1), "a request has inputs and params, and no 'seed'"),
    "instances": (b'{"instances": ["[[0.5, 1]]"]}', "no 'instances'"),
    "a table": (b'{"dataframe_split": {"columns": [0], "data": [["a"]]}}', "no 'dataframe_split'"),
    "messages": (b'{"messages": [{"role": "user", "content": "a"}]}', "no 'messages'"),
    "inputs are text": (b'{"inputs": "[[0.5, 1]]"}', "inputs must be a list of strings"),
    "inputs are null": (b'{"inputs": null}', "inputs must be a list of strings"),
    "inputs are an object": (b'{"inputs": {"a": "b"}}', "inputs must be a list of strings"),
    "numbers for text": (of(1, 2), "inputs: item 0 must be a string, not 1"),
    "an array for text": (of("[[0.5, 1]]", [[0.5, 1]]), "inputs: item 1 must be a string, not [[0.5, 1]]"),
    "null for text": (of(None), "inputs: item 0 must be a string, not None"),
    "true for text": (of(True), "inputs: item 0 must be a string, not True"),
    "params are a list": (of("[[0.5, 1]]", params=[1]), "params must be an object, not [1]"),
    "params are null": (of("[[0.5, 1]]", params=None), "params must be an object, not None"),
    "an unknown parameter": (of("[[0.5, 1]]", params={"beam_size": 5}), "this model takes no 'beam_size', none at all"),
    "an item that is no array": (of("[[0.5, 1]]", "half"), "item 1: it is no JSON of an array of 2 features"),
    "an item of another width": (of("[[0.5, 1, 2]]"), "item 0: "),
    "an item of no width": (of("[1, 2]"), "item 0: "),
    "an uneven item": (of("[[1, 2], [3]]"), "item 0: "),
    "words in an item": (of('[["a", "b"]]'), "item 0: "),
    "an item with NaN": (of("[[NaN, 1]]"), "item 0: "),
    "an item with infinity": (of("[[1e999, 1]]"), "item 0: "),
    "a number beyond single precision": (of("[[1e300, 1]]"), "item 0: "),
    "a nested item": (of("[" * 100_000), "item 0: it is no JSON"),
    "half a pair of signs": (b'{"inputs": ["\\ud800"]}', "item 0 is no text: it has half of a surrogate pair"),
    "half a pair of signs as a key": (b'{"\\ud800": 1}', "a request has inputs and params, and no "),
    "too many items": (of(*["[[1, 2]]"] * 201), "inputs: items: 201, and at most 200 are answered here"),
    "too many steps": (of(json.dumps([[1, 2]] * 501)), "item 0: steps: 501, and at most 500 are answered here"),
    "too many bytes": (of("x" * 10_000_000), "bytes, and this server reads at most 1000000 (max_bytes)"),
}
PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "half a pair": ({"temperature": "\ud800"}, "params: temperature is no text: it has half of a surrogate pair"),
    "text": ({"length": "5"}, "params: length must be a whole number, not '5'"),
    "true": ({"length": True}, "params: length must be a whole number, not True"),
    "a fraction": ({"length": 5.5}, "params: length must be a whole number, not 5.5"),
    "a list": ({"length": [5]}, "params: length must be a whole number, not [5]"),
    "below": ({"length": -1}, "length must be a whole number of at least 0, not -1"),
    "above": ({"length": 501}, "length: 501, and at most 500 are answered here"),
    "far above": ({"seed": 10**30}, "params: seed must be a whole number"),
    "cold": ({"temperature": -0.5}, "temperature must be a finite number of at least 0, not -0.5"),
    "hot": ({"temperature": 10**400}, "params: temperature must be a finite number"),
    "a word": ({"temperature": "warm"}, "params: temperature must be a finite number, not 'warm'"),
    "one": ({"score": 1}, "params: score must be true or false, not 1"),
    "unknown": (
        {"legnth": 5},
        "params: this model takes no 'legnth', only length, temperature, top_k, top_p, min_p, seed, score",
    ),
    "of the server": ({"batch_size": 5}, "params: this model takes no 'batch_size'"),
}
"""Parameters that a language model refuses."""
