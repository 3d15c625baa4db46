"""`confguard run --mask`: what a command writes holds no secret, and it runs as if it were not there."""

import array
import base64
import fcntl
import html
import json
import os
import pty
import secrets
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from urllib.parse import quote

import pytest

from tests.command import COMMAND, environment, run, started

SETTINGS = """
from pydantic import SecretStr
from confguard import BaseSettings

class App(BaseSettings):
    api_key: SecretStr
    note: str = "none"
"""
# By an encoder of their own each, to be found by whoever reads the output.
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a URL": lambda text: quote(text, safe=""),
    "in JSON": lambda text: json.dumps({"key": text}),
    "in Python": lambda text: repr([text]),
    "in HTML": html.escape,
    "in hexadecimal": lambda text: text.encode().hex(),
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
}
MASKED = ["run", "services:App", "--mask", "--"]
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH]
# Tells every signal once, and ends with the one that says so.
LISTENER = """
import os, signal, sys
numbers = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
os.write(1, b"ready\\n")
while (number := signal.sigwait(numbers)) != signal.SIGALRM:
    os.write(1, f"{number}\\n".encode())
sys.exit(5)
"""


@pytest.fixture(autouse=True)
def secret(clean_environment: Path) -> str:
    """The module of a service, and its secret."""
    Path("services.py").write_text(SETTINGS)
    return f"{secrets.token_hex(6)}/+\"'<é {secrets.token_hex(6)}"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@contextmanager
def on_a_terminal(arguments: Sequence[str], **variables: str) -> Generator[tuple["subprocess.Popen[bytes]", int]]:
    """A command that begins a session whose terminal we hold the other end of."""
    parent, child = pty.openpty()
    with subprocess.Popen(
        ["/usr/bin/env", "setsid", "--ctty", *arguments],
        env=environment(TERM="xterm", **variables),
        stdin=child,
        stdout=child,
        stderr=child,
    ) as process:
        os.close(child)
        try:
            yield process, parent
        finally:
            os.close(parent)  # which hangs up
            process.kill()


def await_that(holds: Callable[[], bool]) -> None:
    """Return when something holds."""
    end = monotonic() + 20
    while not holds():
        assert monotonic() < end


def until(end: bytes, source: int) -> bytes:
    """What is read until it ends with something."""
    text = b""
    while not text.endswith(end):
        assert select.select([source], [], [], 20)[0], text
        part = os.read(source, 1)
        assert part, text
        text += part
    return text


@pytest.mark.parametrize("mask", [True, False], ids=["masked", "not masked"])
def test_no_form_of_a_secret_comes_out_of_a_command(secret: str, mask: bool) -> None:
    """A command writes its secret in every form; masked none of them is in what comes out, and else all of them are."""
    Path("forms.json").write_text(json.dumps([encode(secret) for encode in FORMS.values()]))
    code = (
        "import json, sys; [print(*json.load(open('forms.json')), sep=chr(10), file=file) for file in (sys.stdout, sys.stderr)]"
    )
    done = run(["run", "services:App", *["--mask"][: int(mask)], "--", *python(code)], API_KEY=secret, PYTHONUTF8="1")
    assert done.returncode == 0
    for written in (done.stdout, done.stderr):
        leaked = [name for name, encode in FORMS.items() if encode(secret).rstrip("=")[:-2] in written]
        assert leaked == ([] if mask else list(FORMS))
        assert written.count("[redacted:api_key]") == (len(FORMS) if mask else 0)


def test_what_holds_no_secret_comes_out_to_the_byte(secret: str) -> None:
    """Bytes of any kind, more than a pipe holds, also where whoever shares our output has made it non-blocking."""
    Path("data").write_bytes(os.urandom(300_000))
    source, sink = os.pipe()
    os.set_blocking(sink, False)
    with (
        subprocess.Popen([COMMAND, *MASKED, "cat", "data"], env=environment(API_KEY=secret), stdout=sink),
        os.fdopen(source, "rb") as out,
    ):
        os.close(sink)
        assert out.read() == Path("data").read_bytes()


def test_a_secret_in_parts_is_masked(secret: str) -> None:
    """Each byte is written by itself."""
    code = "import os; [os.write(1, bytes([byte])) for byte in os.environb[b'API_KEY'] + b'!']"
    assert run([*MASKED, *python(code)], API_KEY=secret).stdout == "[redacted:api_key]!"


def test_standard_input_and_the_exit_code_are_the_commands_own(secret: str) -> None:
    """It reads what we are given, and its exit code is ours."""
    done = subprocess.run(
        [COMMAND, *MASKED, "sh", "-c", "cat; exit 7"],
        env=environment(API_KEY=secret),
        input=b"given",
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, b"given", b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGABRT])
def test_we_end_by_the_signal_that_ended_the_command(secret: str, number: int) -> None:
    """Whoever started us sees what they would have seen of the command."""
    done = run([*MASKED, "sh", "-c", f"echo {secret[:12]}; kill -{number} $$"], API_KEY=secret)
    assert (done.returncode, done.stdout) == (-number, f"{secret[:12]}\n")


@pytest.mark.parametrize(("command", "code"), [("no-such-command", 127), (".", 126)])
def test_a_command_that_cannot_be_executed_is_told_as_without_a_mask(secret: str, command: str, code: int) -> None:
    """The same line and the same exit code."""
    done = run([*MASKED, command], API_KEY=secret)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert done.stderr.startswith(f"Error: {command}: ")


def test_signals_are_passed_on_once(secret: str) -> None:
    """Each signal that is sent to us reaches the command, real-time signals too."""
    with started([*MASKED, *python(LISTENER)], API_KEY=secret) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for number in [*SIGNALS, signal.SIGRTMIN + 3]:
            process.send_signal(number)
            assert process.stdout.readline() == f"{int(number)}\n"
        process.send_signal(signal.SIGALRM)
        assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 5


def test_a_signal_that_we_were_started_to_ignore_is_ignored_by_the_command(secret: str) -> None:
    """As nohup wants it; no other one is ignored, and none is blocked."""
    done = subprocess.run(
        ["/usr/bin/env", "nohup", COMMAND, *MASKED, "grep", "-E", "SigBlk|SigIgn", "/proc/self/status"],
        env=environment(API_KEY=secret),
        capture_output=True,
        text=True,
        check=False,
    )
    blocked, ignored = (int(line.split()[1], 16) for line in done.stdout.splitlines())
    assert blocked == 0
    assert ignored & 1 << (signal.SIGHUP - 1)
    assert not ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGCHLD - 1) | 1 << (signal.SIGTERM - 1))


def test_signals_are_passed_on_while_nobody_reads(secret: str) -> None:
    """A command that waits for its reader is ended all the same; what it had written comes out."""
    code = "import os\nprint(os.getpid(), flush=True)\nwhile True: os.write(1, b'x' * 4096)"
    with started([*MASKED, *python(code)], API_KEY=secret) as process:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 20)[0]
        pid = int(os.read(process.stdout.fileno(), 100).split()[0])
        waiting, source = array.array("i", [0]), process.stdout.fileno()
        await_that(lambda: fcntl.ioctl(source, termios.FIONREAD, waiting) == 0 and waiting[0] > 60_000)
        process.terminate()
        await_that(lambda: not Path(f"/proc/{pid}").exists())
        assert process.communicate(timeout=20)[0].endswith("x")
    assert process.returncode == -signal.SIGTERM


def test_a_value_that_cannot_be_masked_is_told(secret: str) -> None:
    """A warning names the field of a value that is like any other word."""
    done = run([*MASKED, "echo", "1234"], API_KEY="1234")
    assert done.stdout == "1234\n"
    assert done.stderr.startswith("api_key          warning: degraded\n    it is so short or so common that")


def test_output_comes_at_once(secret: str) -> None:
    """A line, and a prompt whose end may be the beginning of a secret, are there while the command waits."""
    code = "import os; input('first\\n'); input(os.environ['PROMPT']); print('last')"
    variables = environment(API_KEY=secret, PROMPT=f"Name {secret[:1]}")
    pipe = subprocess.PIPE
    with subprocess.Popen([COMMAND, *MASKED, *python(code)], env=variables, stdin=pipe, stdout=pipe, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        until(b"first\n", process.stdout.fileno())
        process.stdin.write(b"\n")
        assert until(f"Name {secret[:1]}".encode(), process.stdout.fileno()) == f"Name {secret[:1]}".encode()
        process.stdin.write(b"\n")
        assert process.stdout.read() == b"last\n"


def test_the_beginning_of_a_secret_is_masked_where_nothing_follows(secret: str) -> None:
    """The mask comes while the command waits, and stands for the rest of the secret too."""
    code = "import os; key = os.environ['API_KEY']; input('<' + key[:9]); print(key[9:] + '>')"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [COMMAND, *MASKED, *python(code)], env=environment(API_KEY=secret), stdin=pipe, stdout=pipe, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert until(b"]", process.stdout.fileno()) == b"<[redacted:api_key]"
        process.stdin.write(b"\n")
        assert process.stdout.read() == b">\n"


def test_a_secret_that_is_cut_off_by_the_end_is_masked(secret: str) -> None:
    """A command that is killed while it writes shows no beginning of one."""
    done = run([*MASKED, *python("import os; print('<' + os.environ['API_KEY'][:-1], end='')")], API_KEY=secret)
    assert done.stdout == "<[redacted:api_key]"


def test_the_order_of_both_streams_is_kept_where_they_lead_to_one_place(secret: str) -> None:
    """As with 2>&1."""
    code = "import os; [os.write(1 + number % 2, f'{number}\\n'.encode()) for number in range(200)]"
    done = subprocess.run(
        [COMMAND, *MASKED, *python(code)],
        env=environment(API_KEY=secret),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.stdout.split() == [str(number).encode() for number in range(200)]


def test_what_the_command_left_running_is_not_waited_for(secret: str) -> None:
    """All that the command wrote comes out, and we end when it does, although another process holds its output."""
    with started([*MASKED, "sh", "-c", "sleep 1000 & yes | head -c 60000"], API_KEY=secret) as process:
        out, _ = process.communicate(timeout=20)
    assert (process.returncode, len(out)) == (0, 60000)


def test_a_command_whose_output_nobody_reads_is_told(secret: str) -> None:
    """It ends as it would in a pipeline, and so do we."""
    with started([*MASKED, "yes"], API_KEY=secret) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "y\n"
        process.stdout.close()
        assert process.wait(20) == -signal.SIGPIPE


def test_the_command_ends_when_we_are_killed(secret: str) -> None:
    """Nothing goes on behind the back of whoever killed us: a file that we inherited, and the command with us, is let go."""
    gone, held = os.pipe()
    code = f"import os, signal; os.fstat({held}); print('on', flush=True); signal.pause()"
    with subprocess.Popen(
        [COMMAND, *MASKED, *python(code)],
        env=environment(API_KEY=secret),
        stdout=subprocess.PIPE,
        pass_fds=[held],
    ) as process:
        os.close(held)
        assert process.stdout is not None
        assert process.stdout.readline() == b"on\n"
        process.kill()
        process.wait(20)
    assert os.read(gone, 1) == b""
    os.close(gone)


def test_children_without_parents_leave_no_zombie(secret: str) -> None:
    """The first process of a container inherits them. So does one that asks for it, as this one does before it is us."""
    become = f"import ctypes, os, sys; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); os.execv({str(COMMAND)!r}, sys.argv[1:])"
    code = """
import os, subprocess, time
orphan = subprocess.run(["sh", "-c", "true & echo $!"], stdout=subprocess.PIPE).stdout.decode().strip()
end = time.monotonic() + 20
while os.path.exists("/proc/" + orphan) and time.monotonic() < end: pass
print(os.path.exists("/proc/" + orphan))
"""
    done = subprocess.run(
        [*python(become), COMMAND, *MASKED, *python(code)],
        env=environment(API_KEY=secret),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("False\n", 0)


def test_on_a_terminal_the_command_has_one_of_the_same_size(secret: str) -> None:
    """It sees a terminal, is told when the size changes, and what it writes is masked."""
    code = (
        "import os, signal, sys; print(os.environ['API_KEY'], sys.stdout.isatty(), sys.stdin.isatty()); "
        "signal.pthread_sigmask(signal.SIG_BLOCK, {28}); print(os.get_terminal_size(2).columns, flush=True)\n"
        "while os.get_terminal_size(1).columns != 132: signal.sigwait({28})\n"
        "print('wide')"
    )
    with on_a_terminal(
        ["sh", "-c", 'stty cols 77 rows 9; exec "$@"', "sh", str(COMMAND), *MASKED, *python(code)], API_KEY=secret
    ) as (
        process,
        terminal,
    ):
        assert until(b"77\r\n", terminal) == b"[redacted:api_key] True True\r\n77\r\n"
        subprocess.run(["/usr/bin/env", "stty", "cols", "132"], stdin=terminal, check=True)
        until(b"wide\r\n", terminal)
        assert process.wait(20) == 0


def test_keys_reach_the_command_once(secret: str) -> None:
    """Keys of the terminal are signals to both of us, and are not passed on; the same signal sent to us alone is."""
    with on_a_terminal([str(COMMAND), *MASKED, *python(LISTENER)], API_KEY=secret) as (process, terminal):
        until(b"ready\r\n", terminal)
        for key, number in ((b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT)):
            os.write(terminal, key)
            until(f"{int(number)}\r\n".encode(), terminal)
            process.send_signal(signal.SIGUSR1)
            assert until(b"\n", terminal) == f"{int(signal.SIGUSR1)}\r\n".encode()
            process.send_signal(number)
            assert until(b"\n", terminal) == f"{int(number)}\r\n".encode()
        process.send_signal(signal.SIGALRM)
        assert process.wait(20) == 5


def test_a_shell_stops_and_continues_us_as_the_command(secret: str) -> None:
    """Ctrl-Z gives the shell its terminal back, and `fg` lets the command go on."""
    command = f"{COMMAND} {' '.join(MASKED)} sh -c 'echo ready; read line; echo \"$line\"; exit 4'"
    script = f"set -m; {command}; echo stopped; fg; echo ended $?"
    with on_a_terminal(["bash", "--norc", "-c", script], API_KEY=secret) as (process, terminal):
        until(b"ready\r\n", terminal)
        os.write(terminal, b"\x1a")
        until(b"stopped\r\n", terminal)
        os.write(terminal, b"typed\n")
        assert until(b"ended 4\r\n", terminal).count(b"typed\r\n") == 2
        assert process.wait(20) == 0


def test_a_command_that_is_stopped_without_a_terminal_goes_on(secret: str) -> None:
    """Whoever stops the command alone continues it alone: we have not stopped with it."""
    code = (
        "import os, signal; print(os.getpid(), flush=True); os.write(1, os.environb[b'API_KEY'][:9]); "
        "os.kill(os.getpid(), signal.SIGSTOP); print('on')"
    )
    with started([*MASKED, *python(code)], API_KEY=secret) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        await_that(lambda: Path(f"/proc/{pid}/stat").read_text().split()[2] == "T")
        assert process.stdout.read(18) == "[redacted:api_key]"  # which we write a while after we have heard that it stopped
        os.kill(pid, signal.SIGCONT)
        assert process.communicate(timeout=20) == ("on\n", "")


def test_what_the_command_sends_to_its_own_group_is_not_passed_on(secret: str) -> None:
    """It has got it itself."""
    code = LISTENER.replace('os.write(1, b"ready', 'os.killpg(0, signal.SIGUSR1); os.write(1, b"ready')
    with started([*MASKED, *python(code)], API_KEY=secret) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["ready\n", f"{int(signal.SIGUSR1)}\n"]
        process.send_signal(signal.SIGUSR2)
        assert process.stdout.readline() == f"{int(signal.SIGUSR2)}\n"
