"""What has to be understood of Metal source text to run it as C++: comments, brackets, signatures and
declarations of threadgroup memory."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_OPEN, _CLOSE = "([{", ")]}"


def strip_comments(text: str) -> str:
    """`text` with its comments gone and every line where it was."""
    text = re.sub(r"/\*.*?\*/", lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL)
    return re.sub(r"//[^\n]*", "", text)


def closing(text: str, opening: int) -> int:
    """Where the bracket at `opening` is closed."""
    depth = 0
    for position in range(opening, len(text)):
        depth += (text[position] in _OPEN) - (text[position] in _CLOSE)
        if depth == 0:
            return position
    raise ValueError(f"nothing closes the bracket at {opening}")


def split_arguments(text: str) -> list[str]:
    """The parts between the commas of `text` that no bracket encloses."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in _OPEN + "<") - (character in _CLOSE + ">")
        if character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


def line_of(text: str, position: int) -> int:
    """The number of the line that holds `position`, from 1 or from the `#line` directive before it."""
    directives = list(re.finditer(r"^#line (\d+).*\n", text[:position], re.MULTILINE))
    if not directives:
        return text.count("\n", 0, position) + 1
    return int(directives[-1][1]) + text.count("\n", directives[-1].end(), position)


@dataclass(frozen=True)
class Function:
    """Where a function's parameters and body stand in a text."""

    parameters: str
    body_start: int
    body_end: int


def find_function(text: str, name: str) -> Function:
    """The definition of `void name(...) {...}`. `text` has no comments."""
    match = re.search(rf"\bvoid\s+{re.escape(name)}\s*\(", text)
    if not match:
        raise ValueError(f"no function {name}")
    opening = match.end() - 1
    end = closing(text, opening)
    body = text.index("{", end)
    return Function(text[opening + 1 : end], body + 1, closing(text, body))


@dataclass(frozen=True)
class Parameter:
    """A kernel's parameter: a buffer, or an attribute of the thread under Metal's name."""

    attribute: str
    buffer: int | None = None
    by_reference: bool = False


def parse_parameters(text: str) -> Iterator[Parameter]:
    """The parameters of a kernel's signature, in order."""
    for part in split_arguments(text):
        match = re.search(r"(.*)\[\[\s*(\w+)(?:\(\s*(\d+)\s*\))?", part, re.DOTALL)
        if not match:
            raise ValueError(f"a kernel parameter without an attribute: {part.strip()}")
        declaration, attribute, index = match.groups()
        yield Parameter(attribute, int(index) if attribute == "buffer" else None, "&" in declaration)


# `threadgroup T name[N], other;` but neither a pointer nor a parameter.
_THREADGROUP = re.compile(
    r"\bthreadgroup\s+((?:const\s+)?[A-Za-z_][\w:]*(?:\s*<[^;{}()]*?>)?)"
    r"\s+([A-Za-z_]\w*\s*(?:\[[^;]*?\]\s*)*(?:,\s*[A-Za-z_]\w*\s*(?:\[[^;]*?\]\s*)*)*);"
)


def share_declarations(text: str) -> str:
    """`text` with its declarations of threadgroup memory as references into what the threadgroup shares.

    Each stays on its line. `text` has no comments.
    """
    return _THREADGROUP.sub(lambda match: _shared(match[1], split_arguments(match[2])), text)


def _shared(element: str, names: list[str]) -> str:
    return " ".join(_shared_variable(element, *_name_and_sizes(name)) for name in names)


def _name_and_sizes(declarator: str) -> tuple[str, str]:
    match = re.match(r"\s*(\w+)\s*(.*?)\s*$", declarator, re.DOTALL)
    assert match
    return match[1], match[2]


def _shared_variable(element: str, name: str, sizes: str) -> str:
    kind, key = f"{name}_shared_type", f"{name}_shared_key"
    memory = f"metal_host::shared(&{key}, sizeof({kind}), alignof({kind}))"
    types = f"typedef {element} {kind}{sizes}; static char {key};"
    return f"{types} {kind}& {name} = *static_cast<{kind}*>({memory});"


def static_declarations(text: str) -> str:
    """`text` with its declarations of threadgroup memory as static variables, for a check without running."""
    return _THREADGROUP.sub(lambda match: f"static {match[0]}", text)
