"""The supervisor, with programs that die, linger, ignore signals and leave children behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.polling import until

from worker.embedded.child import launch
from worker.embedded.forking import fork
from worker.embedded.process import ProcessId
from worker.embedded.supervisor import Program, Supervisor, next_delay

REPOSITORY = Path(__file__).parents[2]
# Each notes its number as a line of its own and lives until it is told to end.
POLITE = "echo $$ >> {notes}; exec sleep 600"
STUBBORN = "trap '' TERM; echo $$ >> {notes}; while :; do sleep 1; done"
WITH_CHILD = "sleep 600 & echo $! >> {notes}; echo $$ >> {notes}; wait"
OVER_AT_ONCE = "echo $$ >> {notes}; exit 3"
WARM = "trap 'echo bye; exit 0' TERM; sleep 600 & echo $$ >> {notes}; wait"

PARENT = """
import sys
from pathlib import Path
from worker.embedded import program
from worker.embedded.supervisor import Program, Supervisor

program._STOP_WITHIN = float(sys.argv[3])
programs = [Program("it", ["sh", "-c", sys.argv[2]])]
Supervisor.of_programs(Path(sys.argv[1]), programs, lambda line: print(line, flush=True)).run_until_signalled()
print("stopped", flush=True)
"""


InAChild = Callable[..., "subprocess.Popen[str]"]


class Scene:
    """A data directory, the numbers that programs noted, and what the user was told."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder
        self.told: list[str] = []
        self._notes = folder / "pids"

    def script(self, script: str) -> str:
        return script.format(notes=self._notes)

    def supervise(self, *scripts: str) -> Supervisor:
        programs = [Program(f"p{n}", ["sh", "-c", self.script(script)]) for n, script in enumerate(scripts)]
        return Supervisor.of_programs(self.data_dir, programs, self.told.append)

    def noted(self, count: int) -> list[int]:
        """Wait for so many numbers; give them all."""
        return until(lambda: (found := self._lines()) and len(found) >= count and found, what=f"{count} starts")

    def living(self) -> list[int]:
        return [pid for pid in self._lines() if ProcessId.of(pid)]

    def _lines(self) -> list[int]:
        return [int(line) for line in self._notes.read_text().split()] if self._notes.exists() else []


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    for pid in scene.living():
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def in_a_child(scene: Scene) -> Iterator[InAChild]:
    """Run a supervisor of one script in a process of its own, which takes signals."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str, patience: float = 7) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", PARENT, str(scene.data_dir), scene.script(script), str(patience)]
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_what_dies_is_started_again_and_the_user_told_in_one_line(scene: Scene) -> None:
    with scene.supervise(POLITE):
        os.kill(scene.noted(1)[0], signal.SIGKILL)
        scene.noted(2)
        assert scene.told == [f"p0 ended (signal SIGKILL): started again in 0.5 s (see {scene.data_dir}/logs/p0.log)"]
    assert scene.living() == []


def test_what_dies_again_and_again_is_given_more_time_each_time(scene: Scene) -> None:
    with scene.supervise(OVER_AT_ONCE):
        until(lambda: len(scene.told) >= 3, what="three ends")
    delays = [line.partition("started again in ")[2].partition(" s")[0] for line in scene.told]
    assert delays[:3] == ["0.5", "1", "2"]
    assert "ended (exit code 3)" in scene.told[0]


def test_the_back_off_doubles_up_to_30_seconds_and_is_forgotten_after_a_run_of_30() -> None:
    delays = [0.0]
    for _ in range(9):
        delays.append(next_delay(delays[-1], ran_for=0.1))
    assert delays[1:] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert next_delay(30, ran_for=31) == 0.5


def test_a_program_that_dies_takes_its_children_along(scene: Scene) -> None:
    with scene.supervise(WITH_CHILD):
        child, main = scene.noted(2)
        os.kill(main, signal.SIGKILL)
        scene.noted(4)
        assert ProcessId.of(child) is None


def test_one_that_dies_leaves_the_others_alone(scene: Scene) -> None:
    with scene.supervise(POLITE, OVER_AT_ONCE, POLITE):
        until(lambda: len(scene.told) >= 2, what="two ends of the second")
        assert {line.split()[0] for line in scene.told} == {"p1"}
        assert len(scene.living()) == 2


def test_only_the_main_process_is_asked_to_stop_and_may_say_goodbye(scene: Scene) -> None:
    with scene.supervise(WARM):
        scene.noted(1)
    assert (scene.data_dir / "logs" / "p0.log").read_text() == "bye\n"
    assert scene.living() == []


def test_programs_that_ignore_sigterm_are_gone_within_ten_seconds(scene: Scene) -> None:
    with scene.supervise(STUBBORN, STUBBORN, STUBBORN):
        scene.noted(3)
        began = time.monotonic()
    assert scene.living() == []
    assert time.monotonic() - began < 10


def test_programs_are_given_their_environment_and_a_log_for_its_user_only(scene: Scene) -> None:
    program = Program(
        "p", ["sh", "-c", "echo $GREETING; echo $HOME; echo trouble >&2; exec sleep 600"], {"GREETING": "hi"}
    )
    log = scene.data_dir / "logs" / "p.log"
    with Supervisor.of_programs(scene.data_dir, [program], scene.told.append):
        until(lambda: log.exists() and "trouble" in log.read_text(), what="its output")
    assert log.read_text() == f"hi\n{os.environ['HOME']}\ntrouble\n"
    assert log.stat().st_mode & 0o077 == 0


def lines_of(log: Path, count: int) -> list[list[str]]:
    return until(
        lambda: log.exists() and len(found := log.read_text().splitlines()) >= count and [*map(str.split, found)]
    )


def test_a_forked_program_is_what_a_started_one_would_be(scene: Scene) -> None:
    command = [sys.executable, "-m", "support.polite_program", "--loudly"]
    environment = {"GREETING": "hi", "PYTHONPATH": str(REPOSITORY / "tests")}
    programs = [Program(f.__name__, command, environment, f) for f in (fork, launch)]
    with Supervisor.of_programs(scene.data_dir, programs, scene.told.append):
        said = {p.name: lines_of(scene.data_dir / "logs" / f"{p.name}.log", 1)[0] for p in programs}
    for name, (pid, session, *rest) in said.items():
        assert (session, rest) == (pid, ["hi", "True", "--loudly"]), name
        assert (scene.data_dir / "logs" / f"{name}.log").read_text().endswith("bye\n")
        assert ProcessId.of(int(pid)) is None


def test_a_forked_program_is_started_again_even_when_that_which_it_was_forked_from_is_gone(scene: Scene) -> None:
    program = Program("it", [sys.executable, "-m", "support.polite_program"], {"GREETING": "hi"}, fork)
    log = scene.data_dir / "logs" / "it.log"
    with Supervisor.of_programs(scene.data_dir, [program], scene.told.append):
        first = int(lines_of(log, 1)[0][0])
        parent = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(first, signal.SIGKILL)
        lines_of(log, 2)
        os.kill(parent, signal.SIGKILL)
        second, third = (int(line[0]) for line in lines_of(log, 3)[1:])
        assert scene.told[0].startswith("it ended (signal SIGKILL): started again in 0.5 s")
        assert ProcessId.of(second) is None
        assert ProcessId.of(third)
    assert ProcessId.of(third) is None


def test_programs_are_out_of_reach_of_the_terminals_signals(scene: Scene) -> None:
    with scene.supervise(POLITE, POLITE):
        groups = {os.getpgid(pid) for pid in scene.noted(2)}
        assert groups == set(scene.noted(2))
        assert os.getpgid(0) not in groups


def test_a_program_that_cannot_be_started_stops_those_that_were(scene: Scene) -> None:
    programs = [Program("good", ["sh", "-c", scene.script(POLITE)]), Program("bad", ["/no/such/program"])]
    with pytest.raises(FileNotFoundError):
        Supervisor.of_programs(scene.data_dir, programs, scene.told.append).start()
    assert scene.living() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all(scene: Scene, in_a_child: InAChild, number: signal.Signals) -> None:
    supervisor = in_a_child(WARM)
    scene.noted(1)
    supervisor.send_signal(number)
    output, _ = supervisor.communicate(timeout=30)
    assert (supervisor.returncode, output) == (0, "Stopping; once more to stop at once.\nstopped\n")
    assert scene.living() == []
    assert (scene.data_dir / "logs" / "it.log").read_text() == "bye\n"


def test_a_second_signal_stops_what_ignores_the_first_at_once(scene: Scene, in_a_child: InAChild) -> None:
    supervisor = in_a_child(STUBBORN, 600)
    scene.noted(1)
    supervisor.send_signal(signal.SIGINT)
    assert supervisor.stdout
    assert supervisor.stdout.readline() == "Stopping; once more to stop at once.\n"
    supervisor.send_signal(signal.SIGINT)
    assert supervisor.wait(timeout=60) == 0
    assert scene.living() == []


def test_programs_of_a_killed_supervisor_are_killed_by_the_next_one(scene: Scene, in_a_child: InAChild) -> None:
    supervisor = in_a_child(WITH_CHILD)
    old = scene.noted(2)
    until((scene.data_dir / "run" / "it.pid").exists, what="the note")
    supervisor.kill()
    supervisor.wait()
    assert scene.living() == old
    with scene.supervise(POLITE):
        assert not set(old) & set(scene.living())
    assert scene.told == ["it was still running from a start that was killed: killed it"]


def test_a_note_about_a_process_that_is_another_by_now_harms_nobody(scene: Scene) -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as bystander:
        (scene.data_dir / "run").mkdir()
        (scene.data_dir / "run" / "old.pid").write_text(f"{bystander.pid} 1")
        with scene.supervise(POLITE):
            scene.noted(1)
        assert bystander.poll() is None
        bystander.kill()
    assert list((scene.data_dir / "run").iterdir()) == []
