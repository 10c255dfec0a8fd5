"""One test suite for the Linux calls and their portable replacements.

What only the operating system can do is listed as missing in ``docs/platforms.md``, and here.
"""

from __future__ import annotations

import ast
import errno
import inspect
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gnomon.compat import platform
from gnomon.compat.platform import linux, portable

SOURCE = Path(platform.__file__).parents[2]

WAYS = [
    pytest.param(linux, marks=pytest.mark.skipif(sys.platform != "linux", reason="not Linux")),
    portable,
]


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__.rpartition(".")[2])
def way(request: pytest.FixtureRequest) -> ModuleType:
    """Either of the two."""
    module: ModuleType = request.param
    return module


def until(holds: Callable[[], Any], seconds: float = 20.0) -> None:
    """Poll until it holds."""
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_both_have_the_same_functions() -> None:
    """They also have the same parameters, so that one can replace the other."""
    assert sorted(linux.__all__) == sorted(portable.__all__)
    assert set(platform.__all__) == {*linux.__all__, "IS_PORTABLE", "VARIABLE"}
    for name in linux.__all__:
        on_linux, on_others = getattr(linux, name), getattr(portable, name)
        assert str(inspect.signature(on_linux)) == str(inspect.signature(on_others)), name


@pytest.mark.parametrize(
    ("value", "taken"), [("1", True), ("true", True), ("0", False), ("", False)]
)
def test_the_variable_decides(value: str, taken: bool) -> None:
    """It decides for everything that is taken from the package."""
    code = (
        "from gnomon.compat import platform; "
        "print(platform.IS_PORTABLE, platform.control_pair.__module__.rpartition('.')[2])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "GNOMON_PORTABLE": value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(taken), "portable" if taken else "linux"]


LINUX_ONLY = {
    "prctl", "pidfd_open", "posix_fallocate", "fdatasync", "TCP_USER_TIMEOUT", "SOCK_SEQPACKET",
    "F_SETOWN", "F_SETSIG", "memfd_create", "sched_setaffinity", "sched_getaffinity", "eventfd",
    "copy_file_range", "splice", "O_TMPFILE", "SO_PEERCRED", "posix_fadvise", "signalfd", "epoll",
    "RLIMIT_DATA", "O_ASYNC", "waitid", "CLOCK_BOOTTIME", "pidfd_send_signal", "MSG_CMSG_CLOEXEC",
}  # fmt: skip


LINUX_FILES = {
    SOURCE / "service" / "slice" / "standby_process.py",
    SOURCE / "service" / "slice" / "takeover.py",
    SOURCE / "worker" / "adopted_process.py",
}
"""What Linux alone can do by its nature; none of it runs in the portable implementation."""


def _elsewhere() -> list[Path]:
    place = Path(platform.__file__).parent
    return sorted(
        file
        for file in SOURCE.rglob("*.py")
        if not file.is_relative_to(place) and file not in LINUX_FILES
    )


@pytest.mark.parametrize("file", _elsewhere(), ids=lambda file: str(file.relative_to(SOURCE)))
def test_calls_that_only_linux_has_stand_in_one_place(file: Path) -> None:
    """Nothing else names such a call, or reads ``/proc``."""
    tree = ast.parse(file.read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    read = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith(("/proc", "/dev/", "/sys", "\0"))
        and len(node.value) > 1
    ]
    assert not used & LINUX_ONLY
    assert not read


# Processes


ORPHAN = """
import os, sys, time
from importlib import import_module
way = import_module("gnomon.compat.platform." + sys.argv[1])
read, write = os.pipe()
if not os.fork():
    way.die_with_parent(os.getppid())
    os.write(write, b"1")
    while True:
        pass
os.read(read, 1)
print(os.getppid(), flush=True)
time.sleep(60)
"""


def test_a_process_ends_with_its_parent(way: ModuleType) -> None:
    """Even if it is busy and its parent is killed."""
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, way.__name__.rpartition(".")[2]],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert parent.stdout is not None
    parent.stdout.readline()
    group = parent.pid
    parent.kill()
    parent.wait()
    until(lambda: not _has_members(group))
    parent.stdout.close()


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_process_whose_parent_has_ended_ends_at_once(way: ModuleType) -> None:
    """Otherwise it would never notice."""
    code = (
        "import sys; from importlib import import_module; "
        f"import_module('{way.__name__}').die_with_parent(1); print('alive')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""


WATCH = """
import os, select, signal, sys, time
from importlib import import_module
way = import_module("gnomon.compat.platform." + sys.argv[1])
for seconds in (0.0, 0.3):
    pid = os.fork()
    if not pid:
        time.sleep(seconds)
        os._exit(7)
    if not seconds:
        time.sleep(0.1)  # It has ended before it is watched.
    watch = way.ChildWatch(pid)
    ended = 0
    while not ended:
        assert select.select([watch.fileno()], [], [], 20)[0]
        watch.clear()
        ended, status = os.waitpid(pid, os.WNOHANG)
    watch.close()
    print(os.WEXITSTATUS(status), signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL)
"""


def test_the_end_of_a_child_wakes(way: ModuleType) -> None:
    """Whether it ended before or after it was watched; nothing is left behind."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH, way.__name__.rpartition(".")[2]],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout.split(), done.stderr) == (["7", "True"] * 2, "")


HOARD = """
import sys, time
from importlib import import_module
way = import_module("gnomon.compat.platform." + sys.argv[1])
import numpy
assert way.limit_memory(1_000, 71) > 1_000
assert way.limit_memory(400_000_000, 71) is None
try:
    kept = [numpy.ones(1_000_000) for _ in range(100)]
    time.sleep(20)
except MemoryError:
    sys.exit(71)
"""


def test_memory_is_limited(way: ModuleType) -> None:
    """An allocation fails, or the process ends; either way the status is that one."""
    # By way of a small process: the most that this one had in memory is its child's, too, on Linux.
    hoard = [sys.executable, "-c", HOARD, way.__name__.rpartition(".")[2]]
    done = subprocess.run(["sh", "-c", '"$@"; exit $?', "sh", *hoard])
    assert done.returncode == 71


def test_processes_are_told_apart(way: ModuleType) -> None:
    """Running processes, ended ones, and ended ones that were not waited for."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = way.process_start(child.pid)
    assert started
    assert way.process_start(child.pid) == started
    assert way.is_running(child.pid)
    assert "-" not in started
    child.kill()
    until(lambda: way.process_start(child.pid) is None)  # a zombie
    child.wait()
    assert child.stdin is not None
    child.stdin.close()
    assert way.process_start(child.pid) is None
    assert not way.is_running(child.pid)
    assert way.is_running(1)
    assert way.process_space() == way.process_space()
    way.kill_first(int(Path("/proc/self/oom_score_adj").read_text()) if way is linux else 0)


def test_the_portable_way_does_without_ps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small container may lack it; start times are then not distinguished."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert portable.process_start(os.getpid()) == "?"


def test_the_time_a_thread_waited_for_a_processor_only_grows(way: ModuleType) -> None:
    """It is in microseconds since the thread began; None where the system does not count it."""
    queue = way.RunQueue()
    first = queue.micros()
    assert 0 <= first <= queue.micros()


# Sockets


def test_packets_arrive_whole_with_their_descriptor(way: ModuleType) -> None:
    """Packets arrive one by one, as they were sent, and then the end."""
    own_end, other_end = way.control_pair()
    with own_end, other_end:
        read, write = os.pipe()
        long = bytes(range(256)) * 200
        for packet, descriptors in ((b"a", []), (b"bb", [write]), (long, [])):
            way.send_packet(other_end, packet, descriptors)
        assert way.recv_packet(own_end) == (b"a", [])
        packet, (given,) = way.recv_packet(own_end)
        os.write(given, b"through")
        assert (packet, os.read(read, 10)) == (b"bb", b"through")
        assert way.recv_packet(own_end) == (long, [])
        way.send_packet(own_end, b"kill")
        assert way.recv_packet(other_end) == (b"kill", [])
        other_end.close()
        assert way.recv_packet(own_end) == (b"", [])
        with pytest.raises(ConnectionError):
            way.send_packet(own_end, b"kill")
        for number in (read, write, given):
            os.close(number)


def test_a_socket_with_nothing_says_so(way: ModuleType) -> None:
    """It says so at once or after its timeout, depending on how it is set."""
    own_end, other_end = way.control_pair()
    with own_end, other_end:
        own_end.setblocking(False)
        with pytest.raises(BlockingIOError):
            way.recv_packet(own_end)
        own_end.settimeout(0.05)
        with pytest.raises(TimeoutError):
            way.recv_packet(own_end)


def test_a_packet_that_comes_in_pieces_is_put_together() -> None:
    """The portable implementation uses a stream; an incomplete packet breaks the connection."""
    own_end, other_end = portable.control_pair()
    with own_end, other_end:
        own_end.setblocking(False)
        other_end.sendall(b"\x05\x00")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(portable, "PACKET_SECONDS", 0.1)
            with pytest.raises(ConnectionError, match="did not come"):
                portable.recv_packet(own_end)
    own_end, other_end = portable.control_pair()
    with own_end, other_end:
        other_end.sendall(b"\xff\xff\xff\xff")
        with pytest.raises(ConnectionError, match="bytes"):
            portable.recv_packet(own_end)
    own_end, other_end = portable.control_pair()
    with own_end:
        other_end.sendall(b"\x05\x00\x00\x00ab")
        other_end.close()
        with pytest.raises(ConnectionError, match="within a packet"):
            portable.recv_packet(own_end)


def test_a_child_lives_on_a_socket_only_while_it_loads(way: ModuleType) -> None:
    """Once it watches the socket itself, the socket's end is no longer a signal."""
    before = signal.signal(signal.SIGIO, lambda *_: signalled.append(1))
    signalled: list[int] = []
    try:
        own_end, other_end = way.control_pair()
        way.end_with_socket(other_end, os.getpid())
        way.outlive_socket(other_end)
        own_end.close()
        select.select([], [], [], 0.05)
        assert not signalled
        other_end.close()
        if way is linux:
            own_end, other_end = way.control_pair()
            way.end_with_socket(other_end, os.getpid())
            own_end.close()
            until(lambda: signalled)
            other_end.close()
    finally:
        signal.signal(signal.SIGIO, before)


def test_a_listener_that_stops_refuses(way: ModuleType) -> None:
    """They are refused on Linux; elsewhere connections may wait until all processes have closed
    it.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    duplicate = listener.dup()
    way.stop_listening(listener)
    if way is portable:
        with socket.socket() as other:
            way.stop_listening(other)  # macOS says that it is not connected.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(duplicate.getsockname(), timeout=5)
    listener.close()
    duplicate.close()


def test_a_client_that_reads_nothing_is_limited_where_it_can_be(way: ModuleType) -> None:
    """The kernel of Linux limits it."""
    with socket.socket() as client:
        way.limit_unread(client, 3.5)
        if way is linux:
            assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 3500


def test_what_a_client_has_not_taken_is_known_where_it_can_be(way: ModuleType) -> None:
    """The kernel of Linux counts it."""
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, socket.create_connection(listener.getsockname()) as client:
        assert way.unread_bytes(client) == 0
        client.setblocking(False)
        while select.select([], [client], [], 0)[1]:
            client.send(bytes(1 << 20))
        assert (way.unread_bytes(client) > 0) is (way is linux)


# Descriptors and files


def test_own_descriptors_are_found(way: ModuleType) -> None:
    """Every one that is open."""
    with socket.socket() as opened:
        assert opened.fileno() in set(way.own_descriptors())


def test_as_many_descriptors_as_allowed(way: ModuleType) -> None:
    """The soft limit becomes the hard one."""
    code = (
        "import resource; from importlib import import_module; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300)); "
        f"import_module('{way.__name__}').raise_descriptors(); "
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["300", "300"]


def test_space_is_reserved_and_content_kept(way: ModuleType, tmp_path: Path) -> None:
    """Zeros after what is there; a longer file stays as it is."""
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    with file.open("r+b") as opened:
        way.reserve(opened.fileno(), 100_000)
        assert file.read_bytes() == b"abc" + bytes(99_997)
        assert file.stat().st_blocks * 512 >= 100_000
        way.reserve(opened.fileno(), 10)
        way.sync_descriptor(opened.fileno())
        way.sync_content(opened.fileno())
    assert file.stat().st_size == 100_000
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        way.sync_content(999_999)


@pytest.mark.parametrize("refusal", [errno.EIO, errno.ENOSPC])
def test_a_full_sync_that_fails_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refusal: int
) -> None:
    """If a disk does not support it, an ordinary sync is used; any other error is raised."""

    def refuse(number: int) -> Callable[..., int]:
        def refused(descriptor: int, command: int) -> int:
            raise OSError(number, os.strerror(number))

        return refused

    monkeypatch.setattr(portable, "_FULL_SYNC", 51)
    with (tmp_path / "file").open("wb") as opened:
        monkeypatch.setattr(portable.fcntl, "fcntl", refuse(errno.ENOTSUP))
        portable.sync_descriptor(opened.fileno())
        monkeypatch.setattr(portable.fcntl, "fcntl", refuse(refusal))
        with pytest.raises(OSError, match=os.strerror(refusal)):
            portable.sync_descriptor(opened.fileno())


def test_a_folder_in_memory_is_offered_where_there_is_one(way: ModuleType) -> None:
    """Elsewhere there is none."""
    folder = way.memory_folder()
    assert folder is None if way is portable else folder.is_dir()
