"""Fixtures for tests of the programs."""

import io
import sys

import pytest

from tests.app.programs import Outcome, Run, main_of


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a program in this process with `stdin`, else nothing, on stdin; a bug in it raises here."""

    def run_main(program: str, *arguments: object, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfd.readouterr()
        code = main_of(program)([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run_main
