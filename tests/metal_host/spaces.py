"""Address spaces, which a CPU does not have: clang reads the kernel with Metal's as real ones and says where
a pointer has none or the wrong one. Nothing is run, and nothing else is checked.

A vector is made in braces for this, `ulong2{row, column}`: clang has no other way.
"""

import os
import platform
import re
import shutil
import subprocess
from typing import Any

from .errors import MetalHostError
from .headers import join_headers
from .host import HostKernel
from .source import find_function, static_declarations, strip_comments
from .toolchain import HERE, INCLUDE
from .translate import split_instance

# clang lets no parameter be an array of another address space. Apple's makes it a pointer.
_ARRAY_PARAMETER = re.compile(r"\bconstant const (\w+) (\w+)\[\d+\]")
_ATTRIBUTE = re.compile(r"\[\[[^\]]*\]\]")


class AddressSpaceError(MetalHostError):
    """A pointer without an address space, or with the wrong one."""


def clang() -> str | None:
    """The clang that is to be used, or None where there is none."""
    return shutil.which(os.environ.get("CLANG", "clang++"))


def check_address_spaces(kernel: HostKernel, **call: Any) -> None:
    """Raises `AddressSpaceError` if the source of `kernel(**call)` mixes address spaces."""
    traced = kernel.trace(**call)
    text, instance = split_instance(traced.name, traced.source)
    text = static_declarations(strip_comments(text))
    body = find_function(text, traced.name).body_start
    named = f'#line 1 "{kernel.name}.header"\n{text[:body]}\n#line 1 "{kernel.name}"{text[body:]}'
    utilities = _ARRAY_PARAMETER.sub(r"constant const \1* \2", join_headers(["utils.h"]))
    unit = f"{utilities}\n{_ATTRIBUTE.sub('', named)}\nauto* checked = &{instance};\n"
    errors = _clang_errors(unit)
    if errors:
        raise AddressSpaceError("\n".join(errors[:5]), "\n".join(errors))


def _clang_errors(unit: str) -> list[str]:
    program = clang()
    if not program:
        raise FileNotFoundError("no clang++; CLANG names another program")
    # 16-bit floats as a type of the language: only a matter of syntax, whatever the processor.
    native_half = ["-mavx512fp16"] if platform.machine() in ("x86_64", "AMD64") else []
    includes = [f"-I{HERE / 'address_spaces'}", f"-I{INCLUDE}"]
    command = [program, "-std=c++20", "-fsyntax-only", "-w", *native_half, *includes, "-x", "c++", "-"]
    done = subprocess.run(command, input=unit, capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if "error:" in line]
