"""`file:///dir`: one whole file a send, whoever writes, reads, dies or removes the folder meanwhile."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import worker
from worker.settings import UnusableSetting
from worker.transport import Message, Rejected, Transport, TransportUnavailable, open_transport
from worker.transport.message import rfc5322

CHECKOUT = Path(str(worker.__file__)).parent.parent

WRITER = """
import sys
from datetime import UTC, datetime
from worker.transport import Message, open_transport

transport = open_transport(sys.argv[1])
first, last, batch = map(int, sys.argv[2:5])
def message(n):
    html, text = "<p>" + "html\\n" * 20_000, "text\\n" * 20_000
    date = datetime(2026, 11, 24, tzinfo=UTC)
    return Message(f"send_{n}", "C <c@x.test>", "a@x.test", f"Number {n}", html, text, date)
"""
WRITE_ALL = """
for n in range(first, last):
    transport.deliver(message(n))
    if n % batch == 0:
        transport.flush()
transport.flush()
"""
STOP_HALF_WAY = """
transport.deliver(message(1))
transport.flush()
transport.deliver(message(2))
print("half way", flush=True)
sys.stdin.read()
"""
FULL_DISK = """
import resource
from worker.transport import TransportUnavailable
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    transport.deliver(message(1))
    transport.flush()
except TransportUnavailable as trouble:
    print(trouble)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a b#c" / "outbox"


def opened(folder: Path) -> Transport:
    return open_transport(folder.as_uri())


@pytest.fixture
def transport(folder: Path) -> Iterator[Transport]:
    transport = opened(folder)
    yield transport
    transport.close()


@pytest.fixture
def run(folder: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start another process that writes into the folder."""
    started: list[subprocess.Popen[str]] = []

    def start(program: str, first: int = 0, last: int = 0, batch: int = 1) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", WRITER + program, folder.as_uri(), str(first), str(last), str(batch)]
        process = subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def message(number: int = 1, *, subject: str = "Hi", html: str = "<p>Hi</p>") -> Message:
    date = datetime(2026, 11, 24, tzinfo=UTC)
    return Message(f"send_{number}", "Campaigns <c@x.test>", "a@x.test", subject, html, "Hi", date)


def visible(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("*") if not file.name.startswith("."))


def hidden(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.glob(".writing-*/*") if file.name != "lock")


def is_whole(content: bytes) -> bool:
    return content.startswith(b"From: ") and content.endswith(b"--\r\n")


def test_a_send_is_one_file_named_after_it(folder: Path, transport: Transport) -> None:
    transport.deliver(message(1))
    transport.deliver(message(2))
    transport.flush()

    assert visible(folder) == ["send_1.eml", "send_2.eml"]
    assert (folder / "send_1.eml").read_bytes() == rfc5322(message(1))
    assert hidden(folder) == []
    assert transport.repeatable


def test_nothing_is_visible_before_the_flush(folder: Path, transport: Transport) -> None:
    transport.deliver(message())

    assert visible(folder) == []


def test_the_same_send_twice_is_one_file(folder: Path, transport: Transport) -> None:
    transport.deliver(message())
    transport.deliver(message())
    transport.flush()
    once = (folder / "send_1.eml").read_bytes()
    transport.deliver(message())
    transport.flush()

    assert visible(folder) == ["send_1.eml"]
    assert (folder / "send_1.eml").read_bytes() == once


def test_a_rejected_send_leaves_no_file_and_harms_no_other(folder: Path, transport: Transport) -> None:
    transport.deliver(message(1))
    with pytest.raises(Rejected):
        transport.deliver(message(2, subject="a\nBcc: b@x.test"))
    transport.flush()

    assert visible(folder) == ["send_1.eml"]


def test_closing_forgets_what_was_not_flushed(folder: Path, transport: Transport) -> None:
    transport.deliver(message())
    transport.close()
    transport.flush()

    assert (visible(folder), hidden(folder)) == ([], [])


def test_a_reader_never_sees_half_a_file(folder: Path, run: Callable[..., "subprocess.Popen[str]"]) -> None:
    writer = run(WRITE_ALL, 1, 151, 5)
    looks = 0
    while writer.poll() is None:
        for file in folder.glob("*.eml"):
            assert is_whole(file.read_bytes())
            looks += 1

    assert writer.returncode == 0
    assert looks > 0
    assert len(visible(folder)) == 150


def test_processes_that_write_the_same_sends_at_once_leave_one_whole_file_each(
    folder: Path, run: Callable[..., "subprocess.Popen[str]"]
) -> None:
    writers = [run(WRITE_ALL, 1, 60, 7) for _ in range(3)]

    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    assert len(visible(folder)) == 59
    assert all(is_whole(file.read_bytes()) for file in folder.glob("*.eml"))
    assert hidden(folder) == []


def test_a_killed_process_leaves_nothing_visible_and_the_next_start_cleans_up(
    folder: Path, run: Callable[..., "subprocess.Popen[str]"]
) -> None:
    killed, alive = run(STOP_HALF_WAY), run(STOP_HALF_WAY)
    for process in (killed, alive):
        assert process.stdout is not None
        assert process.stdout.readline() == "half way\n"
    assert visible(folder) == ["send_1.eml"]
    assert len(hidden(folder)) == 2

    killed.kill()
    killed.wait()
    transport = opened(folder)

    assert visible(folder) == ["send_1.eml"]
    assert len(hidden(folder)) == 1, "what the living process is writing stays"
    transport.deliver(message(2))
    transport.flush()
    assert visible(folder) == ["send_1.eml", "send_2.eml"]
    transport.close()


def test_slots_do_not_pile_up(folder: Path) -> None:
    for _ in range(5):
        first, second = opened(folder), opened(folder)
        first.close()
        second.close()

    assert sorted(path.name for path in folder.iterdir()) == [".writing-0", ".writing-1"]


def test_a_full_disk_leaves_no_half_file(folder: Path, run: Callable[..., "subprocess.Popen[str]"]) -> None:
    complaint, _ = run(FULL_DISK).communicate(timeout=60)

    assert "File too large" in complaint
    assert (visible(folder), hidden(folder)) == ([], [])


def test_a_removed_folder_is_trouble_for_once_and_made_anew(folder: Path, transport: Transport) -> None:
    shutil.rmtree(folder)

    with pytest.raises(TransportUnavailable, match="No such file or directory"):
        transport.deliver(message())
    transport.deliver(message())
    transport.flush()

    assert visible(folder) == ["send_1.eml"]


def test_what_was_removed_before_the_flush_does_not_count_as_delivered(folder: Path, transport: Transport) -> None:
    transport.deliver(message(1))
    shutil.rmtree(folder)
    with pytest.raises(TransportUnavailable):
        transport.flush()

    transport.deliver(message(1))
    transport.flush()
    assert visible(folder) == ["send_1.eml"]


def test_after_trouble_half_way_through_a_batch_none_of_it_counts_as_delivered(
    folder: Path, transport: Transport
) -> None:
    transport.deliver(message(1))
    shutil.rmtree(folder)
    with pytest.raises(TransportUnavailable):
        transport.deliver(message(2))
    with pytest.raises(TransportUnavailable):
        transport.flush()

    transport.flush()  # the trouble is over once it was told
    assert visible(folder) == []


def test_a_folder_that_cannot_be_used_costs_no_slot_for_each_attempt(folder: Path) -> None:
    folder.mkdir(parents=True)
    obstacle = folder / ".writing-1"
    obstacle.touch()
    with pytest.raises(UnusableSetting, match="writing-1"):
        opened(folder)
    obstacle.unlink()

    opened(folder).close()
    assert [path.name for path in folder.iterdir()] == [".writing-0"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "outbox",
        "/outbox",
        "http://x.test",
        "file://",
        "file:///",
        "file://host/dir",
        "file:///a?b",
        "file:///a#b",
        "file:///%00",
        "file://[x",
        "nosuch:///dir",
        "file:///dev/null/x",
    ],
)
def test_a_url_that_names_no_folder_is_unusable_in_one_line_that_names_the_setting(url: str) -> None:
    with pytest.raises(UnusableSetting, match=r"\AENROLL_TRANSPORT_URL cannot be used: [^\n]+\Z"):
        open_transport(url)
