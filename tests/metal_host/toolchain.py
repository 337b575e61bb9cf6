"""Compiles kernels with g++ and keeps what it compiled, under a hash of everything that went into it."""

import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import mlx

from .errors import CompileError

#: What a kernel is built to show: its results, accesses out of bounds and undefined behaviour, or races.
Check = Literal["values", "bounds", "races"]

#: Stands for the folder of a kernel's source in what the sanitizers report.
KERNEL_FOLDER = "metal-host-kernel"

#: The first g++ that gives variables a pattern.
OLDEST_GCC = 12

HERE = Path(__file__).resolve().parent
INCLUDE = HERE / "include"
RUNTIME = HERE / "runtime"

_COMMON = ("-std=c++20", "-fPIC", "-fvisibility=hidden", "-w", f"-I{INCLUDE}", f"-I{HERE}")

# In Metal 1.0 is a float and char has a sign; nothing is contracted that the kernel does not contract; a
# thread's variables hold no zeros by chance; and pointers to different types may point to the same buffer.
_KERNEL = (
    "-fsingle-precision-constant",
    "-fsigned-char",
    "-ffp-contract=off",
    "-ftrivial-auto-var-init=pattern",
    "-fno-strict-aliasing",
    "-fno-exceptions",
)

_CHECKS: dict[Check, tuple[str, ...]] = {
    "values": ("-O2",),
    "bounds": ("-O1", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"),
    "races": ("-O1", "-g1", "-fsanitize=thread"),
}

# The runtime tells the sanitizers about fibers, and is not looked at itself.
_RUNTIME: dict[Check, tuple[str, ...]] = {
    "values": ("-O2",),
    "bounds": ("-O2", "-DMETAL_HOST_ASAN=1"),
    "races": ("-O2", "-DMETAL_HOST_TSAN=1"),
}

_RUNTIME_FILES = ("context.cpp", "dispatch.cpp", "rendezvous.cpp")


@dataclass(frozen=True)
class Toolchain:
    """Builds libraries of kernels, and the programs that run them, in `folder`."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", self.folder.resolve())

    def library(self, source: str, check: Check) -> Path:
        """The shared library that launches the kernel of the translation unit `source`."""
        flags = (*_COMMON, *_KERNEL, *_CHECKS[check], "-isystem", str(mlx_headers()))
        target = self.folder / f"{_hash(source, *flags, version('mlx'), _fingerprint())}.so"
        if not target.exists():
            runtime = [str(self._object(name, check)) for name in _RUNTIME_FILES]
            with tempfile.TemporaryDirectory() as folder:
                unit = Path(folder) / "kernel.cpp"
                unit.write_text(source)
                names = f"-ffile-prefix-map={folder}={KERNEL_FOLDER}"
                self._compile([*flags, names, "-shared", unit.name, *runtime], target, Path(folder))
        return target

    def runner(self, check: Check) -> Path:
        """The program that runs a library in a process of its own."""
        flags = (*_COMMON, *_CHECKS[check])
        target = self.folder / f"{_hash('runner', *flags, _fingerprint())}.exe"
        if not target.exists():
            self._compile([*flags, str(self._object("runner.cpp", check)), "-ldl"], target)
        return target

    def _object(self, name: str, check: Check) -> Path:
        flags = (*_COMMON, *_RUNTIME[check])
        target = self.folder / f"{_hash(name, *flags, _fingerprint())}.o"
        if not target.exists():
            self._compile([*flags, "-c", str(RUNTIME / name)], target)
        return target

    def _compile(self, arguments: Sequence[str], target: Path, work: Path | None = None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # Under another name first: somebody else may be looking for the same file.
        handle, unfinished = tempfile.mkstemp(dir=self.folder, prefix=".unfinished-", suffix=target.suffix)
        os.close(handle)
        try:
            command = [compiler(), *_host_flags(), *arguments, "-o", unfinished]
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=work)
            if done.returncode:
                raise CompileError(_first_errors(done.stderr), done.stderr)
            Path(unfinished).replace(target)
        finally:
            Path(unfinished).unlink(missing_ok=True)


def unavailable() -> str | None:
    """Why no kernel can be run here, or None."""
    if platform.machine() not in ("x86_64", "AMD64", "aarch64", "arm64"):
        return f"threads are switched in assembly, which is not written for {platform.machine()}"
    if sys.platform != "linux":
        return "kernels are run on the CPU with GNU g++ on Linux"
    if not shutil.which(compiler()):
        return "no g++ (Debian, Ubuntu: apt install g++)"
    asked = subprocess.run([compiler(), "-dumpfullversion"], capture_output=True, text=True, check=False)
    if asked.returncode:
        return f"{compiler()} is not GNU g++"
    if int(asked.stdout.split(".")[0]) < OLDEST_GCC:
        return f"g++ {asked.stdout.strip()} is too old: {OLDEST_GCC} is needed"
    return None


def check_unavailable(toolchain: Toolchain, check: Check) -> str | None:
    """Why kernels cannot be run with this check, or None: the sanitizers' libraries are packages too."""
    if reason := unavailable():
        return reason
    try:
        runner = toolchain.runner(check)
    except CompileError as error:
        return f"g++ cannot build for {check}: {error}"
    done = subprocess.run([*fixed_addresses(), str(runner)], capture_output=True, text=True, check=False)
    if "usage" not in done.stderr:  # it was started without arguments
        return f"programs built for {check} do not start here: {done.stderr.strip()[:200]}"
    return None


def user_folder() -> Path:
    """Where programs that are no tests keep what they compile."""
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "metal-host"


def compiler() -> str:
    return os.environ.get("CXX", "g++")


@functools.cache
def fixed_addresses() -> list[str]:
    """The command in front of a program that must not lie at random addresses: some kernels spread those
    so far that the sanitizers lose their way."""
    command = ["setarch", "-R"]
    if not shutil.which(command[0]):
        return []
    allowed = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    return command if allowed else []


@functools.cache
def mlx_headers() -> Path:
    """The folder of the headers in the installed MLX, those of its Metal kernels among them."""
    for folder in mlx.__path__:
        if (Path(folder) / "include" / "mlx").is_dir():
            return Path(folder) / "include"
    raise FileNotFoundError("the installed mlx package has no include folder")


@functools.cache
def _host_flags() -> tuple[str, ...]:
    """Instructions that make half conversions quick, where the processor has them."""
    cpu = Path("/proc/cpuinfo")
    return ("-mf16c",) if cpu.exists() and " f16c " in cpu.read_text() else ()


@functools.cache
def _fingerprint() -> str:
    """A hash of the compiler and of everything that this folder adds to a kernel."""
    command = [compiler(), "--version"]
    gcc = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    files = sorted(path for folder in (INCLUDE, RUNTIME) for path in folder.rglob("*") if path.is_file())
    return _hash(gcc, version("mlx"), *_host_flags(), *(path.read_text() for path in files))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _first_errors(text: str) -> str:
    errors = [line for line in text.splitlines() if "error:" in line or "undefined reference" in line]
    return "\n".join(errors[:5]) or text[:500]
