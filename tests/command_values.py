"""Keys of the settings, with words for values that each must refuse and that it must take."""

from typing import NamedTuple

NO_NUMBER = [
    "true",
    "no",
    "''",
    "one",
    "[]",
    "[1]",
    "{a: 1}",
    "'1'",
    "1_x",
    "0x10",
    "a?b",
    "'a\nb'",
    '"it\'s"',
    "${oc.env:HOME}",
]
NO_NUMBER += ["${nothing}", "1,2", "range(1,3)", "é", "'½'", "", "nan", "inf", "-inf", "1e400", "--1", "1;2", "(1)"]
NO_WHOLE = [*NO_NUMBER, "1.5", "1e3"]
NO_FLAG = ["no", "yes", "off", "on", "0", "1", "'false'", "'true'", "null", "[]", "{a: 1}", "", "nan", "é", "true,false"]
NO_TEXT = ["5", "1.5", "true", "null", "[]", "{a: 1}", "nan"]
HUGE = ["1000000000000000000000000", "-1000000000000000000000000"]


class Kind(NamedTuple):
    """Words for values of a key, and the task that has it, where not all have."""

    wrong: list[str]
    right: list[str]
    task: str = ""


def choice(right: list[str], task: str = "") -> Kind:
    return Kind([*NO_TEXT, "nosuch", "''", f"{right[0]}x", "é", "a,b"], right, task)


FLAG = Kind(NO_FLAG, ["true", "false"])
KEYS: dict[str, Kind] = {
    "seed": Kind([*NO_WHOLE, "-1", "4294967296", *HUGE], ["1", "2", "4294967295"]),
    "seeds": Kind([*NO_WHOLE, "null", "0", "-1", "10001", *HUGE], []),
    "workers": Kind([*NO_WHOLE, "null", "0", "-1", "1001", *HUGE], ["1", "2"]),
    "name": Kind(
        ["../x", "a/b", "''", "'a b'", ".x", "-x", "x" * 65, "5", "true", "[]", "'a?b'", "'a\nb'", "a,b"], ["mine", "v1.2"]
    ),
    "task.training.epochs": Kind([*NO_WHOLE, "null", "0", "-1", "1000001", *HUGE], ["1", "2"]),
    "task.training.clip": Kind([*NO_NUMBER, "null", "-1", "-0.1"], ["0", "0.5", "1"]),
    "task.training.validate_every": Kind([*NO_WHOLE, "0", "-1"], ["1", "2", "null"]),
    "task.parameters": Kind([*NO_WHOLE, "0", "-5"], ["6000", "7000"]),
    "task.metric.mode": choice(["min", "max"]),
    "task.metric.name": Kind([*NO_TEXT, "loss", "val/loss", "'test/a b'", "''", "test/"], ["test/loss"]),
    "task.metric.search": Kind(["5", "true", "[]", "x", "nan"], ["{}"]),
    "task.unit": choice(["tokens", "characters"]),
    "task.title": Kind(NO_TEXT, ["Mine", "'a: b'"]),
    "task.description": Kind(NO_TEXT, ["Mine", "'said, \"so\"'"]),
    "task.references": Kind(["5", "x", "[1]", "[{name: x}]", "{a: 1}", "[{name: x, value: nan}]", "[{value: 1}]"], ["[]"]),
    "task.training": Kind(["5", "null", "[]", "x"], []),
    "task.corpus": Kind(["5", "null", "[]", "x"], []),
    "task.data._target_": Kind(["5", "os.system", "rnn_lightning.Nosuch", "''", "null", "rnn_lightning", "builtins.eval"], []),
    "task.model._target_": Kind(["5", "os.system", "rnn_lightning.Nosuch", "''", "null", "pipelines.train.train"], []),
    "trainer.accelerator": choice(["cpu"]),
    "trainer.devices": Kind([*NO_WHOLE, "null", "0", "-1", "2", "1000000"], ["1"]),
    "trainer.strategy": choice(["auto"]),
    "trainer.precision": choice(["32-true"]),
    "trainer.matmul_precision": choice(["highest", "high"]),
    "trainer.threads": Kind([*NO_WHOLE, "null", "0", "-1", "1025"], ["1", "2"]),
    "trainer.checkpoint_seconds": Kind([*NO_NUMBER, "null", "-1"], ["0", "100"]),
    "trainer.memory_limit_gb": Kind([*NO_NUMBER, "0", "-1"], ["1", "null"]),
    "task.data.batch_size": Kind([*NO_WHOLE, "null", "0", "-3", *HUGE], ["5", "7"]),
    "task.data.eval_batch_size": Kind([*NO_WHOLE, "0", "-3", *HUGE], ["5", "7"]),
    "task.data.buckets": Kind(NO_FLAG, ["true", "false"], "adding"),
    "task.data.augment": Kind(["1.5", "[1]", "x", "[{name: nosuch}]", "{}"], ["null"], "adding"),
    "task.data.joined": Kind(NO_FLAG, [], "nested"),
    "task.data.packed": Kind([*NO_FLAG, "true"], ["false"], "nested"),
    "task.model.optimizer.lr": Kind([*NO_NUMBER, "null", "-1"], ["0.01", "0.001"]),
    "task.model.optimizer.name": Kind([*NO_TEXT, "adan", "''"], ["adam", "sgd"]),
    "task.model.optimizer": Kind(["5", "x", "[]"], []),
    "task.model.schedule": Kind(["5", "{name: cosin}", "[1]", "{name: step}"], ["null"]),
    "task.model.dropout": Kind([*NO_NUMBER, "null", "1", "1.5", "-0.1"], ["0", "0.2"], "adding"),
    "task.model.embedding_size": Kind([*NO_WHOLE, "null", "0", "-1", *HUGE], ["8", "9"], "nested"),
    "task.model.tied": Kind(NO_FLAG, ["false"], "nested"),
    "task.model.attention": Kind(["5", "nosuch", "[]", "true"], ["general", "dot"], "dates"),
    "task.model.input_feeding": Kind(NO_FLAG, ["true"], "dates"),
    "task.rnn.num_layers": Kind([*NO_WHOLE, "null", "0", "-1", *HUGE], ["1", "2"]),
    "rnn.cell": Kind([*NO_TEXT, "lstmm", "''"], ["gru", "lstm"]),
    "rnn.dropout": Kind([*NO_NUMBER, "null", "1", "-0.1", "2"], ["0", "0.1"]),
    "rnn.residual": FLAG,
    "rnn.bidirectional": Kind(NO_FLAG, ["false"]),
    "task.corpus.seed": Kind([*NO_WHOLE, "null", "-1"], ["1", "2"]),
    "task.corpus.steps": Kind([*NO_WHOLE, "null", "0", "1", "-1", *HUGE], ["6", "7"], "adding"),
    "task.corpus.rows": Kind(["5", "null", "[]", "x", "{}", "{train: 5, valid: 5}"], [], "adding"),
    "task.corpus.rows.train": Kind([*NO_WHOLE, "null", "0", "-1", *HUGE], ["20"], "adding"),
    "task": Kind([*NO_TEXT, "nosuch", "''", "../adding", "[adding, dates]", "adding,dates", "é", "x" * 300], []),
    "rnn": Kind([*NO_TEXT, "nosuch", "''", "../rnn/gru", "[lstm, gru]", "lstm,gru"], ["gru", "elman"]),
    "trainer": Kind([*NO_TEXT, "tpu", "''", "cpu,gpu"], ["cpu"]),
    "tuned": Kind([*NO_TEXT, "nosuch", "''", "none,none"], ["none"]),
}
"""By key, values that no stage takes, and values that are right."""
LATE_KEYS = {
    "task.data.batch_size": ["0", "-3", *HUGE],
    "task.data.eval_batch_size": ["0", "-3", *HUGE],
    "task.model.optimizer.lr": ["-1"],
    "task.model.schedule": ["{name: step}"],
    "task.model.dropout": ["1", "1.5", "-0.1"],
    "task.model.embedding_size": ["0", "-1", *HUGE],
    "task.model.attention": ["nosuch", "true"],
    "task.rnn.num_layers": ["0", "-1", *HUGE],
    "rnn.dropout": ["1", "-0.1", "2"],
    "task.corpus.seed": ["-1"],
    "task.corpus.steps": ["0", "1", "-1", *HUGE],
    "task.corpus.rows": ["{}", "{train: 5, valid: 5}"],
    "task.corpus.rows.train": ["0", "-1", *HUGE],
    "task.metric.name": [],
}
LATE = {(key, text) for key, texts in LATE_KEYS.items() for text in texts}
"""Values that the stages refuse which build the data module or the system from them."""

MEMORY = {
    "train task=adding seed=1 task.parameters=1000000000000": "task.parameters",
    "train task=adding seed=1 task.parameters=1000000000": "task.parameters",
    "train task=adding seed=1 task.parameters=null task.rnn.hidden_size=200000": "GB",
    "train task=adding seed=1 task.parameters=null task.rnn.hidden_size=1000000000000": "hidden_size",
    "train task=adding seed=1 task.rnn.num_layers=1000000000": "num_layers",
    "train task=nested seed=1 task.model.embedding_size=10000000000": "embedding_size",
    "train task=nested seed=1 task.data.steps=1000000000000": "",
    "train task=adding seed=1 task.data.batch_size=1000000000000": "",
    "train task=dates seed=1 task.metric.search.beam_size=100000000": "beam",
    "evaluate task=dates seed=1 task.metric.search.beam_size=100000000": "beam",
    "evaluate task=dates seed=1 task.metric.search.max_length=100000000000": "",
    "predict run=runs/dates/lstm/1 beam_size=100000000": "beam_size",
    "fetch task=adding task.corpus.steps=1000000000000": "steps",
    "preprocess task=adding task.corpus.steps=1000000000000": "steps",
    "fetch task=adding task.corpus.rows.train=1000000000000": "rows",
    "preprocess task=adding task.corpus.rows.train=1000000000000": "rows",
    "fetch task=nested task.corpus.rows.train=1000000000000": "rows",
    "fetch task=dates task.corpus.years=[1,1000000000000]": "",
    "preprocess task=dates task.corpus.years=[1,1000000000000]": "",
    "sweep task=adding seed=1 sweep=endless trials=2": "grid",
    "sweep task=adding seed=1 sweep=basic trials=1000000000": "trials",
    "train task=adding seeds=1000000000": "seeds",
    "train task=adding seed=1 trainer.devices=1000000 trainer.strategy=ddp": "devices",
}
"""Commands that would take more memory than there is, and what a refusal must name; nothing where it may be taken."""
