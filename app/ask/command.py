"""`qwen2-ask`: a question about a text, answered from that text alone."""

import argparse
import json
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from app import cli

if TYPE_CHECKING:
    from app.ask.whole import Answer

PROGRAM = "qwen2-ask"
NOT_IN_DOCUMENT = 3

EPILOG = "exit codes: 0 answered, 3 not in the document, 1 error, 2 usage, 130 interrupted"


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run(PROGRAM, lambda: _run(build_parser().parse_args(argv)))


def build_parser() -> cli.Parser:
    """The flags of `qwen2-ask`."""
    parser = cli.Parser(
        prog=PROGRAM,
        description="Answers a question from one text file that fits the model's context as a whole.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    add("question", type=cli.text, metavar="QUESTION")
    add("file", metavar="FILE", help="a UTF-8 text file, or - for stdin")
    add("-m", "--model", type=cli.text, default="tiny", metavar="REF",
        help="bundled name (tiny, tiny-moe), folder, hub id, or alias 0.5b 1.5b 7b 57b-a14b 72b"
        " (default: tiny)")  # fmt: skip
    add("--max-tokens", type=cli.positive_int, default=512, metavar="N", help="longest answer (default: 512)")
    add(
        "--rope",
        choices=("auto", "plain", "yarn"),
        default="auto",
        help="how positions are encoded (default: auto)",
    )
    add("--json", action="store_true", help="print one JSON object when the answer is complete")
    add("--version", action=cli.VersionAction)
    return parser


def _run(args: argparse.Namespace) -> int:
    from app.ask.document import line_of, read_document

    document = read_document(args.file)
    answer = _answer(document, args)
    line = line_of(answer.text, document) if answer.found else None
    if args.json:
        print(json.dumps(_as_json(answer, line, args), ensure_ascii=False))
    elif line:
        print(f"{'stdin' if args.file == '-' else args.file}, line {line}, says so word for word.")
    if answer.last.finish_reason == "length":
        cut = f"the answer was cut at {answer.last.generation_tokens} tokens"
        print(f"{PROGRAM}: {cut} by --max-tokens or the end of the model's context", file=sys.stderr)
    return 0 if answer.found else NOT_IN_DOCUMENT


def _answer(document: str, args: argparse.Namespace) -> "Answer":
    from app.ask.whole import Answer, prompt_ids, stream_answer
    from qwen2_mlx.loading import load

    model, tokenizer = load(args.model, rope=args.rope)
    ids = prompt_ids(model, tokenizer, document, args.question)
    pieces, event = [], None
    with closing(stream_answer(model, tokenizer, ids, args.max_tokens, _show_prefill)) as events:
        for event in events:
            pieces.append(cli.clean(event.text))
            if not args.json:
                print(pieces[-1], end="", flush=True)
    if not args.json:
        print(flush=True)
    assert event is not None
    return Answer("".join(pieces).strip(), event)


def _show_prefill(done: int, total: int) -> None:
    """Progress of a long document, on a terminal only."""
    if sys.stderr.isatty() and (done < total or total > 2048):
        end = "\n" if done == total else "\r"
        print(f"{PROGRAM}: read {done:,} of {total:,} tokens", end=end, file=sys.stderr, flush=True)


def _as_json(answer: "Answer", line: int | None, args: argparse.Namespace) -> dict[str, object]:
    return {
        "question": args.question,
        "status": "found" if answer.found else "not_found",
        "answer": answer.text,
        "file": args.file,
        "line": line,
        "model": args.model,
        "finish_reason": answer.last.finish_reason,
        "tokens": {"prompt": answer.last.prompt_tokens, "generated": answer.last.generation_tokens},
    }


if __name__ == "__main__":
    sys.exit(main())
