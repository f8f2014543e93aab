"""A process that a program has started ends with it, one that a person has started does not; Ctrl-C is one line."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from often import some

from pipelines.runs import processes
from pipelines.runs.processes import lock_folder

ROOT = Path(__file__).resolve().parent.parent
STAGE = "from pipelines.runs.beginning import follow_who_started; follow_who_started(); import os, sys, time; "
STAGE += "print(os.getpid(), flush=True); time.sleep(60)"
STARTER = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(60)"
HOLDER = "import signal, sys, time; signal.signal(signal.SIGTERM, {handler}); import psutil; from pathlib import Path; "
HOLDER += "from pipelines.runs import following; from pipelines.runs.processes import lock_folder; "
HOLDER += "following._followed.append(psutil.Process(int(sys.argv[2]))); lock = lock_folder(Path(sys.argv[1]), 'it'); "
HOLDER += "print('held', flush=True); time.sleep(60)"


def begin(script: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("DVC_STAGE", "LOCAL_RANK")} | variables
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def lives(pid: int, seconds: float) -> bool:
    """Whether the process is still there after so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("variable", ["DVC_STAGE", "LOCAL_RANK"])
@pytest.mark.parametrize("shell", [[], ["sh", "-c", '"$0" "$@"; true']], ids=["directly", "by a shell"])
def test_a_stage_ends_with_who_started_it(variable: str, shell: list[str]) -> None:
    starter = begin(STARTER, *shell, sys.executable, "-c", STAGE, **{variable: "1"})
    stage = int(line_of(starter))
    starter.kill()
    starter.wait()
    assert not lives(stage, 2.0)


def test_what_a_person_has_started_outlives_the_shell() -> None:
    starter = begin(STARTER, sys.executable, "-c", STAGE)
    stage = int(line_of(starter))
    starter.kill()
    starter.wait()
    assert lives(stage, 0.5)
    os.kill(stage, signal.SIGKILL)


def test_a_stage_whose_starter_is_gone_before_it_begins_ends_at_once() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    stage = begin(STAGE, PIPELINES_STARTER=str(gone.pid))
    assert stage.wait(10) == -signal.SIGTERM


@pytest.mark.parametrize("handler", ["signal.SIG_DFL", "signal.SIG_IGN"], ids=["ends when asked", "must be made to"])
def test_a_process_left_behind_is_ended_and_said(
    handler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.5)
    starter = begin("import time; time.sleep(60)")
    holder = begin(HOLDER.format(handler=handler), str(tmp_path), str(starter.pid))
    assert line_of(holder) == "held"
    with pytest.raises(ValueError, match="another process is at work on it"):  # its starter lives
        lock_folder(tmp_path, "it")
    starter.kill()
    starter.wait()
    lock_folder(tmp_path, "it").close()
    assert holder.wait(5) == (-signal.SIGKILL if "IGN" in handler else -signal.SIGTERM)
    assert capsys.readouterr().err == f"ending process {holder.pid}, left behind at it by a command that is gone\n"


COMMANDS = ("train", "compare", "fetch", "preprocess", "repro", "predict", "evaluate", "sweep")
ENDED = [(command, after) for after in (0.15, 0.6) for command in COMMANDS]


@pytest.mark.parametrize(("command", "after"), some(ENDED, len(ENDED) - 2))
def test_a_command_that_is_interrupted_ends_in_one_line(command: str, after: float, tmp_path: Path) -> None:
    """However soon: most of the first second goes by with imports."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/src"}
    words = [sys.executable, "-m", f"pipelines.{command}", "generated" if command in ("compare", "repro") else "task=nested"]
    heeding = ["env", "--default-signal=INT", *words]  # a shell's background job, which this may be part of, ignores it
    with subprocess.Popen(heeding, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    if process.returncode == 130:
        assert errors.startswith("interrupted") and len(errors.splitlines()) == 1
    else:  # Python itself had not begun, or the command was done
        assert "pipelines" not in errors.partition("Traceback")[2] and process.returncode in (1, 2, -signal.SIGINT)


INTERRUPTING = """
import os, time
try:
    os.kill(os.getpid(), 2)
    time.sleep(5)
except KeyboardInterrupt:
    raise ImportError("half made") from None
"""


@pytest.mark.parametrize("module", ["signal", "pydantic", "hydra"])
def test_a_module_that_makes_another_error_of_an_interrupt_does_not_hide_it(module: str, tmp_path: Path) -> None:
    """The first that is imported, one before the command begins its work, and one after."""
    (tmp_path / f"{module}.py").write_text(INTERRUPTING)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}:{ROOT}/src"}
    words = ["env", "--default-signal=INT", sys.executable, "-m", "pipelines.fetch", "task=adding"]
    ended = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 130 and ended.stderr.startswith("interrupted") and len(ended.stderr.splitlines()) == 1


EXTENSION = """
import os, sys, time
from importlib.machinery import ExtensionFileLoader, ModuleSpec

class Native(ExtensionFileLoader):
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        try:
            os.kill(os.getpid(), 2)
            time.sleep(0.2)
        except BaseException:
            os.abort()  # as code in C++ does that calls Python and expects no exception

class Finder:
    def find_spec(self, name, path, target=None):
        if name == "native":
            return ModuleSpec(name, Native(name, "native.so"))

from pipelines.settings.interrupts import begin_work, end_at_once, was_interrupted
import signal
signal.signal(signal.SIGINT, end_at_once)
begin_work()
sys.meta_path.insert(0, Finder())
try:
    import native
    time.sleep(10)
except KeyboardInterrupt as error:
    print(was_interrupted(error), "native" in sys.modules)
"""


def test_an_interrupt_waits_until_an_extension_module_is_loaded() -> None:
    words = ["env", "--default-signal=INT", sys.executable, "-c", EXTENSION]
    ended = subprocess.run(
        words, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (0, "True True\n"), ended.stderr


SERVER = """
from pipelines.training.launching import fork_server
fork_server("slow").Process(target=print).start()
import time; time.sleep(100)
"""


def test_a_fork_server_ends_with_its_process_also_while_it_imports(tmp_path: Path) -> None:
    noted = f"open({str(tmp_path / 'pid')!r}, 'w').write(f'{{os.getpid()}} ')"
    (tmp_path / "slow.py").write_text(f"import os, time; {noted}; time.sleep(60)")
    starter = begin(SERVER, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    until = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().endswith(" "):
        assert starter.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    starter.kill()
    starter.wait()
    assert not lives(int((tmp_path / "pid").read_text()), 2.0)


CALL = (
    "import sys; from pathlib import Path; from pipelines.reproduce import call; call(Path(sys.argv[1]), ['-c', sys.argv[2]])"
)


def test_what_reproduce_runs_ends_with_it_whatever_its_code_is(tmp_path: Path) -> None:
    starter = begin(CALL, str(tmp_path), "import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    called = int(line_of(starter))
    starter.kill()
    starter.wait()
    assert not lives(called, 2.0)
