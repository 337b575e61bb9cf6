"""`qwen2-ask library`: the documents that were asked about, and what is kept of them."""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from app import cli

if TYPE_CHECKING:
    from app.ask.library import File, Library
    from app.ask.library.overview import Entry

DESCRIPTION = (
    "Shows and removes the documents that qwen2-ask keeps, so that a second question about one need not"
    " read it again. Removing a document here leaves the file it came from as it is."
)


_ALIGNMENT = ">>>><<"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The actions and their flags."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=cli.Parser)
    listing = actions.add_parser("list", help="list the documents, the last added first")
    show = actions.add_parser("show", help="say all about one document")
    remove = actions.add_parser("remove", help="remove documents from the library")
    verify = actions.add_parser("verify", help="check that everything is whole")
    show.add_argument("file", type=cli.text, metavar="FILE", help="its number in the list, or its path")
    remove.add_argument("files", type=cli.text, nargs="+", metavar="FILE", help="numbers or paths")
    for action in (listing, show, remove, verify):
        action.add_argument(
            "--library", type=Path, metavar="FILE", help="the library to use, not the user's own"
        )
        if action is not remove:
            action.add_argument("--json", action="store_true", help="print JSON")


def run(program: str, args: argparse.Namespace) -> int:
    """Runs one action and returns its exit code: 1 where verify found damage."""
    from app.ask.library import Library

    with Library.open(args.library) as library:
        match args.action:
            case "list":
                return _list(library, args.json)
            case "show":
                return _show(library, args.file, args.json)
            case "remove":
                return _remove(library, args.files)
            case _:
                return _verify(library, args.json)


def _list(library: "Library", as_json: bool) -> int:
    entries = library.entries()
    if as_json:
        _print_json(
            {
                "library": str(library.path),
                "bytes": library.size,
                "files": [_as_json(entry) for entry in entries],
            }
        )
    else:
        print(_as_table(entries, library))
    return 0


def _show(library: "Library", name: str, as_json: bool) -> int:
    entries = {entry.file.id: entry for entry in library.entries()}
    entry = entries[_choose([entry.file for entry in entries.values()], name).id]
    if as_json:
        _print_json(_as_json(entry))
    else:
        print(_as_details(entry))
    return 0


def _remove(library: "Library", names: Sequence[str]) -> int:
    files = library.files()
    for file in {file.id: file for file in [_choose(files, name) for name in names]}.values():
        library.remove(file.id)
        print(f"removed {file.id} {_one_line(file.name)}")
    return 0


def _verify(library: "Library", as_json: bool) -> int:
    count = len(library.files())
    problems = library.verify()
    if as_json:
        _print_json({"checked": count, "problems": problems})
    else:
        for problem in problems:
            print(_one_line(problem))
        documents = "1 document" if count == 1 else f"{count:,} documents"
        print(f"{documents} checked, {'nothing is wrong' if not problems else _count(problems)}")
    return 1 if problems else 0


def _count(problems: Sequence[str]) -> str:
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"


def _choose(files: "Sequence[File]", name: str) -> "File":
    """The file with this number or path. Raises `Qwen2Error` where there is none."""
    from qwen2_mlx.errors import Qwen2Error

    for file in files:
        if name == str(file.id):
            return file
    for file in files:
        if file.path and file.path == os.path.abspath(name):  # noqa: PTH100 - as it is stored
            return file
    raise Qwen2Error(f"the library has no document {name!r}; see qwen2-ask library list")


def _as_json(entry: "Entry") -> dict[str, object]:
    """All that is known, for programs. Times are UTC."""
    file = entry.file
    return {
        "id": file.id,
        "name": file.name,
        "path": _valid(file.path) or None,
        "sha256": file.sha256,
        "kind": file.kind,
        "unit": file.unit,
        "units": _units(entry),
        "characters": file.characters,
        "added": datetime.fromtimestamp(entry.added, UTC).isoformat(timespec="seconds"),
        "indexed": [{"tokens": tokens, "chunks": chunks} for tokens, chunks in entry.cuts],
        "warnings": list(file.warnings),
    }


def _as_table(entries: "Sequence[Entry]", library: "Library") -> str:
    """One line a document, then a line on the whole."""
    rows = [("ID", "LENGTH", "", "TOKENS", "ADDED", "DOCUMENT")] if entries else []
    rows += [
        (
            str(entry.file.id),
            f"{_units(entry):,}",
            entry.file.unit + ("s" if _units(entry) != 1 else ""),
            f"{entry.cuts[0][0]:,}" if entry.cuts else "-",
            _local_time(entry.added),
            _one_line(entry.file.path or entry.file.name),
        )
        for entry in entries
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(_aligned, row, widths, _ALIGNMENT)).rstrip() for row in rows]
    return "\n".join([*lines, _summary(len(entries), library)])


def _summary(count: int, library: "Library") -> str:
    from qwen2_mlx.prefix_store.settings import size_text

    documents = "1 document" if count == 1 else f"{count:,} documents"
    return f"{documents}, {size_text(library.size)}, in {_one_line(str(library.path))}"


def _as_details(entry: "Entry") -> str:
    """All facts of one document, one a line."""
    file = entry.file
    lines: Mapping[str, str] = {
        "id": str(file.id),
        "name": file.name,
        "path": file.path or "(stdin)",
        "kind": file.kind,
        f"{file.unit}s": f"{_units(entry):,}",
        "characters": f"{file.characters:,}",
        "tokens": ", ".join(f"{tokens:,} in {chunks:,} chunks" for tokens, chunks in entry.cuts) or "-",
        "added": _local_time(entry.added),
        "sha256": file.sha256,
    }
    width = max(map(len, [*lines, "warning"]))
    shown = [*lines.items(), *(("warning", warning) for warning in file.warnings)]
    return "\n".join(f"{name:{width}}  {_one_line(value)}" for name, value in shown)


def _units(entry: "Entry") -> int:
    return entry.lines if entry.file.unit == "line" else entry.pages


def _aligned(text: str, width: int, alignment: str) -> str:
    return f"{text:{alignment}{width}}"


def _local_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _one_line(text: str) -> str:
    return " ".join(cli.clean(_valid(text)).split())


def _valid(text: str) -> str:
    """A path may hold bytes that are no text."""
    return text.encode("utf-8", "replace").decode()


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
