"""A small parent of the full-screen chat: gives the terminal back whatever the chat dies of.

A process that the system kills (memory that Metal could not get ends in an abort nobody can catch) leaves
the terminal on its alternate screen, with mouse reports and without echo. So the screen runs in a child
that is started anew rather than forked, since macOS' frameworks do not survive a fork. Both stay in one
process group, so that the shell's job control and the terminal's signals work as for a single program.

Only the standard library, and little of it: what is imported here delays the first frame.
"""

import contextlib
import os
import signal
import sys
import termios
import time
from collections.abc import Sequence

PROGRAM = "qwen2-chat"

#: Sent to this process alone by `kill`, so they are passed on. The keys' own signals are not among them:
#: while the chat is on the screen the keys send none.
FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
WATCHED = {*FORWARDED, signal.SIGCHLD, signal.SIGTSTP}

#: Seconds within which a signal to the whole group has reached the child, too.
SETTLE = 0.05

#: Undoes what a full-screen program switches on, in this order.
RESTORE = (
    "\x1b[?2026l"  # updates are shown at once
    "\x1b[<u"  # kitty's keyboard protocol, of which each screen has its own
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  # mouse
    "\x1b[?1004l\x1b[?2004l\x1b[?2048l"  # focus, bracketed paste, sizes
    "\x1b[?7h\x1b[0m"  # wrapping, colours
    "\x1b[?1049l"  # back from the alternate screen
    "\x1b[?25h"  # cursor
)


def supervise(code: str, arguments: Sequence[str]) -> int:
    """Runs Python `code` in a child with `arguments` as sys.argv[1:] and returns the exit code to pass on.

    The child is this interpreter with these packages, wherever they were found. 128 + n stands for the
    signal n.
    """
    modes = _terminal_modes()
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH120, PTH100
    # -P: not what happens to lie in the current folder.
    command = [sys.executable, "-P", "-c", f"import sys; sys.path.append(sys.argv.pop(1)); {code}", root]
    signal.signal(signal.SIGCHLD, lambda *_: None)  # where it is ignored it could not be waited for
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    try:
        child = os.posix_spawn(sys.executable, [*command, *arguments], os.environ, setsigmask=before)
        status = _wait(child)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if not os.WIFSIGNALED(status):
        return os.waitstatus_to_exitcode(status)
    _restore(modes)
    number = os.WTERMSIG(status)
    print(
        f"{PROGRAM}: ended by signal {number}; the chat is saved ({PROGRAM} -c continues it)", file=sys.stderr
    )
    return 128 + number


def _wait(child: int) -> int:
    """Passes signals on until the child is dead; returns how it ended, as waitpid says it."""
    while True:
        number = signal.sigwait(WATCHED)
        if number in FORWARDED:
            _send(child, number)
            continue
        if number == signal.SIGTSTP:
            time.sleep(SETTLE)
        status = _change(child)
        if status is None and number == signal.SIGTSTP:
            _send(child, number)  # it was for this process alone; SIGCHLD will tell that it worked
        while status is not None and os.WIFSTOPPED(status):
            status = _stop_along(child)
        if status is not None and not os.WIFCONTINUED(status):
            return status


def _stop_along(child: int) -> int | None:
    """Stops as the child did, for the shell to see; once continued, so is the child."""
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(SETTLE)
    status = _change(child, os.WCONTINUED)
    if status is None:
        _send(child, signal.SIGCONT)  # a shell continues both, `kill -CONT` only this one
    return status


def _change(child: int, flags: int = 0) -> int | None:
    """How the child's state has changed, None when it has not."""
    found, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED | flags)
    return status if found else None


def _send(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)


def _terminal_modes() -> list | None:
    try:
        return termios.tcgetattr(sys.stdin.fileno())
    except (termios.error, OSError, ValueError):
        return None


def _restore(modes: list | None) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone, which is what the chat died of
        os.write(sys.stderr.fileno(), RESTORE.encode())
    if modes is not None:
        with contextlib.suppress(termios.error, OSError):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)  # reports of the mouse would be typed
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, modes)
