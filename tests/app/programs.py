"""The command line programs as a test runs them."""

import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).resolve().parents[2]
ENTRY_POINTS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


@dataclass(frozen=True)
class Outcome:
    """What a finished program left behind."""

    code: int
    out: str
    err: str

    def assert_one_line(self, code: int, *words: str) -> None:
        """Exit code `code`, nothing on stdout, and one line on stderr that holds every one of `words`."""
        assert self.code == code, self
        assert not self.out
        assert "Traceback" not in self.err
        assert self.err.endswith("\n"), self.err
        assert self.err.count("\n") == 1, self.err
        for word in words:
            assert word in self.err


#: Runs a program in this process: its name, then its arguments.
Run: TypeAlias = Callable[..., Outcome]


def main_of(program: str) -> Callable[[list[str]], int]:
    """The function behind a program's name."""
    module, function = ENTRY_POINTS[program].split(":")
    return getattr(import_module(module), function)


def run_process(
    program: str, *arguments: object, env: Mapping[str, str], prelude: str = "", timeout: float = 60
) -> Outcome:
    """Runs a program in a fresh interpreter, as its installed script would, after the code `prelude`."""
    module, function = ENTRY_POINTS[program].split(":")
    code = f"import sys\n{prelude}\nfrom {module} import {function}\nsys.exit({function}())"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
