"""`qwen2-cache`: the processed documents that are kept on disk."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from app import cli

if TYPE_CHECKING:
    from qwen2_mlx.prefix_store.folder import Folder

PROGRAM = "qwen2-cache"

EPILOG = """\
environment: QWEN2_MLX_CACHE_DIR  folder for all that is kept, else the user's cache folder
             QWEN2_MLX_CACHE_LIMIT  most that may be kept, such as 5GB (default: 20GiB, 0 keeps nothing)
exit codes: 0 done, 1 error, or verify found damage, 2 usage, 130 interrupted"""


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run(PROGRAM, lambda: _run(argv))


def build_parser() -> cli.Parser:
    """The actions of `qwen2-cache` and their flags."""
    parser = cli.Parser(
        prog=PROGRAM,
        description="Shows and removes the processed documents that qwen2-ask keeps on disk, so that a"
        " second question about a document need not read it again.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=cli.VersionAction)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=cli.Parser)
    listing = actions.add_parser("list", help="list what is kept, the last used first")
    show = actions.add_parser("show", help="say all about one entry")
    verify = actions.add_parser("verify", help="read every entry and set damaged ones aside")
    remove = actions.add_parser("remove", help="remove entries")
    clear = actions.add_parser("clear", help="remove everything")
    show.add_argument("key", type=cli.text, metavar="KEY", help="its key, or the first digits of it")
    remove.add_argument("keys", type=cli.text, nargs="+", metavar="KEY", help="a key, or its first digits")
    clear.add_argument("-y", "--yes", action="store_true", help="do not ask")
    for action in (listing, show, verify):
        action.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _run(argv: list[str] | None) -> int:
    parser = build_parser()
    args = parser.parse_args(argv)

    from qwen2_mlx.prefix_store.folder import default_folder

    folder = default_folder()
    folder.sweep()
    match args.action:
        case "list":
            return _list(folder, args.json)
        case "show":
            return _show(folder, args.key, args.json)
        case "verify":
            return _verify(folder, args.json)
        case "remove":
            return _remove(folder, args.keys)
        case _:
            return _clear(folder, args.yes, parser)


def _list(folder: "Folder", as_json: bool) -> int:
    from app.cache.entries import read_entries
    from app.cache.listing import as_table

    entries = read_entries(folder)
    print(_json([entry.as_json() for entry in entries]) if as_json else as_table(entries, folder))
    return 0


def _show(folder: "Folder", key: str, as_json: bool) -> int:
    from app.cache.entries import choose, read_entries
    from app.cache.listing import as_details

    entry = choose(read_entries(folder), key)
    print(_json(entry.as_json()) if as_json else as_details(entry))
    return 0


def _verify(folder: "Folder", as_json: bool) -> int:
    from app.cache.progress import Progress
    from qwen2_mlx.prefix_store.verify import damage

    files = folder.files()
    damaged = []
    with Progress(PROGRAM, sum(file.size for file in files)) as progress:
        for file in files:
            if found := damage(folder, file, progress.add):
                reason, moved_to = found
                damaged.append({"key": file.key, "reason": reason, "moved_to": str(moved_to or "")})
    if as_json:
        print(_json({"checked": len(files), "damaged": damaged}))
    else:
        for one in damaged:
            print(f"{one['key']} is damaged ({one['reason']}) and was moved to {one['moved_to']}")
        print(f"{len(files) - len(damaged)} of {len(files)} entries are whole")
    return 1 if damaged else 0


def _remove(folder: "Folder", keys: list[str]) -> int:
    from app.cache.entries import choose, read_entries

    entries = read_entries(folder)
    for entry in [choose(entries, key) for key in keys]:
        folder.remove(entry.file.path)
        print(f"removed {entry.short_key} {entry.label}")
    return 0


def _clear(folder: "Folder", agreed: bool, parser: cli.Parser) -> int:
    from qwen2_mlx.prefix_store.settings import size_text

    files = [(file.path, file.size) for file in folder.files()] + folder.set_aside_files()
    what = (
        f"{len(files)} {'file' if len(files) == 1 else 'files'}, {size_text(sum(size for _, size in files))}"
    )
    if files and not agreed:
        if not sys.stdin.isatty():
            parser.error(f"clear would remove {what}; add --yes")
        if not _agrees(f"Remove {what}, in {folder.path}? [y/N] "):
            print("nothing was removed")
            return 1
    for path, _ in files:
        folder.remove(path)
    print(f"removed {what}")
    return 0


def _agrees(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


if __name__ == "__main__":
    sys.exit(main())
