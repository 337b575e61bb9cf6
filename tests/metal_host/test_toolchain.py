"""Kernels are compiled once, and again when anything they are made of changes; what is missing is said."""

from pathlib import Path

import pytest

from . import toolchain as module
from .errors import CompileError, HangError
from .host import MetalHost
from .mistakes import KERNEL, MISTAKES, assert_is_right
from .toolchain import Toolchain, check_unavailable, unavailable


def test_a_kernel_is_compiled_once(host: MetalHost, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_is_right(host)
    monkeypatch.setattr(Toolchain, "_compile", None)
    assert_is_right(host)


def test_another_source_or_another_header_is_compiled_anew(
    toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Path] = []
    monkeypatch.setattr(
        Toolchain, "_compile", lambda self, arguments, target, work=None: compiled.append(target)
    )
    for source in ("one", "two"):
        toolchain.library(source, "values")
    monkeypatch.setattr(module, "_fingerprint", lambda: "other headers")
    toolchain.library("two", "values")
    libraries = [target for target in compiled if target.suffix == ".so"]
    assert len(set(libraries)) == 3


def test_a_kernel_that_does_not_compile_leaves_nothing_behind(host: MetalHost) -> None:
    assert_is_right(host)
    before = set(host.toolchain.folder.iterdir())
    with pytest.raises(CompileError):
        host.toolchain.library("int main( {", "values")
    assert set(host.toolchain.folder.iterdir()) == before


def test_without_a_compiler_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert unavailable() is not None
    assert check_unavailable(Toolchain(tmp_path), "races") == unavailable()


@pytest.mark.parametrize(
    ("script", "reason"), [("echo 11.4.0", "11.4.0 is too old: 12 is needed"), ("exit 1", "is not GNU g++")]
)
def test_with_an_unsuitable_compiler_the_reason_is_said(
    toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    del toolchain  # but for the compiler everything is here
    other = tmp_path / "g++"
    other.write_text(f"#!/bin/sh\n{script}\n")
    other.chmod(0o755)
    monkeypatch.setenv("CXX", str(other))
    assert reason in str(unavailable())


def test_without_the_library_of_a_sanitizer_the_reason_is_said(
    toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module._CHECKS, "races", ("-fsanitize=nothing",))
    assert "g++ cannot build for races" in str(check_unavailable(toolchain, "races"))


def test_the_folder_may_be_given_relative_to_the_current_one(
    toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kept").symlink_to(toolchain.folder)
    assert_is_right(MetalHost(Toolchain(Path("kept"))))


def test_a_limit_of_time_is_kept(host: MetalHost) -> None:
    endless = next(mistake for mistake in MISTAKES if mistake.error is HangError)
    assert endless.source() != KERNEL
    with pytest.raises(HangError, match=r"within 0\.5 s"):
        assert_is_right(MetalHost(host.toolchain, timeout=0.5), endless.source())
