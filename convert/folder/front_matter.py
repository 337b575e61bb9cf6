"""The few facts of a model card's header that a conversion passes on.

A card starts with YAML between two lines of `---`. YAML from strangers can hold aliases,
merges and objects, and a value can close the header that it is copied into. So this reads
no YAML: it knows lines of `key: value`, `key: [a, b]` and lists of `- value`, keeps the keys
it was asked for, and drops each value that does not look like what it should be.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

#: Bytes of a card that are read. The header stands at its start.
_MOST_BYTES = 256 * 1024
_MOST_VALUES = 200  # a card names at most all languages

_WORD = r"[A-Za-z0-9][\w.+-]{0,95}"
_REPOSITORY = rf"{_WORD}/{_WORD}"

#: What the value of each key has to look like.
_FORMS = {
    "license": re.compile(_WORD, re.ASCII),
    "license_name": re.compile(_WORD, re.ASCII),
    "license_link": re.compile(r"https://[\w.-]+(/[\w./%+-]*)?|" + _WORD, re.ASCII),
    "language": re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", re.ASCII),
    "base_model": re.compile(_REPOSITORY, re.ASCII),
}

_KEY = re.compile(r"([A-Za-z_][\w-]*):(?:\s+(.*))?", re.ASCII)
_ITEM = re.compile(r"\s*-\s+(.*)")


def read_front_matter(card: Path) -> dict[str, list[str]]:
    """The known keys of the header of `card`, each with one value or more; {} when there is none."""
    try:
        with card.open("rb") as file:
            text = file.read(_MOST_BYTES).decode(errors="replace")
    except OSError:
        return {}
    return parse_front_matter(text)


def parse_front_matter(text: str) -> dict[str, list[str]]:
    """`read_front_matter` for the text of a card."""
    found: dict[str, list[str]] = {}
    key = ""
    for line in _header(text):
        if match := _KEY.fullmatch(line.rstrip()):
            key = match[1]
            found[key] = _values(match[2] or "")  # of a key given twice, the last, as in YAML
        elif key in found and (item := _ITEM.fullmatch(line.rstrip())):
            found[key] += _values(item[1])
        elif line.strip():
            key = ""  # something nested or folded: not ours
    return {key: values for key in _FORMS if (values := _well_formed(key, found.get(key, [])))}


def written_front_matter(values: Mapping[str, str | Sequence[str]]) -> str:
    """A header with `values`, every text quoted so that it can only be text (YAML's `no` is no language)."""
    lines = ["---"]
    for key, value in values.items():
        if isinstance(value, str):
            lines.append(f"{key}: {json.dumps(value)}")
        else:
            lines += [f"{key}:", *(f"  - {json.dumps(item)}" for item in value)]
    return "\n".join([*lines, "---", ""])


def _header(text: str) -> list[str]:
    """The lines between the first two lines of `---`, if the text starts with one."""
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].rstrip() != "---":
        return []
    ends = (number for number, line in enumerate(lines) if number and line.rstrip() == "---")
    return lines[1 : next(ends, 0)]


def _values(text: str) -> list[str]:
    """The texts of one value: a flow list, or a scalar with or without quotes and comment."""
    text = text.strip()
    if text.startswith("["):
        return [_unquoted(item) for item in text.partition("]")[0][1:].split(",")]
    return [_unquoted(text)] if text else []


def _unquoted(text: str) -> str:
    text = re.split(r"\s#", text.strip(), maxsplit=1)[0].strip()
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def _well_formed(key: str, values: Sequence[str]) -> list[str]:
    return [value for value in values[:_MOST_VALUES] if _FORMS[key].fullmatch(value)]
