"""`qwen2-ask`: a question about a text, answered from that text alone."""

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from app import cli, long_context

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
    long_context.add_flags(add)
    add("--no-store", action="store_true",
        help="neither use nor keep the processed document on disk (see qwen2-cache)")  # fmt: skip
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
    from app.ask import whole
    from app.ask.progress import Reading
    from qwen2_mlx.cache.remember import make_room
    from qwen2_mlx.loading import load
    from qwen2_mlx.prefix_store.folder import default_folder
    from qwen2_mlx.prefix_store.reuse import PrefixStore

    folder = None if args.no_store else default_folder()
    # The only temperature of dual chunks under which the document's part is the same in every prompt.
    model, tokenizer = load(args.model, rope=args.rope, length_factor="position")
    prompt = whole.document_prompt(model, tokenizer, document, args.question)
    long_context.warn_past_proven(PROGRAM, model.args, len(prompt.ids))
    tokens = len(prompt.ids) + min(args.max_tokens, model.args.context_length - len(prompt.ids))
    plan = long_context.plan_prompt(model, tokens, args.kv_bits, args.memory_limit)
    store = PrefixStore(model, folder, args.model, plan.prefill_step, _tell) if folder else None
    cache = model.make_cache(plan.kv)
    make_room(cache, tokens)
    reused = whole.read_prompt(
        model, prompt, cache, plan.prefill_step, store, _label(args.file), Reading(PROGRAM)
    )
    _show_reuse(reused, len(prompt.ids))
    pieces, event = [], None
    with closing(whole.stream_answer(model, tokenizer, prompt, cache, args.max_tokens)) as events:
        for event in events:
            pieces.append(cli.clean(event.text))
            if not args.json:
                print(pieces[-1], end="", flush=True)
    if not args.json:
        print(flush=True)
    assert event is not None
    return whole.Answer("".join(pieces).strip(), event, len(prompt.ids), reused)


def _label(file: str) -> str:
    """What the document is called in the store's lists."""
    return "stdin" if file == "-" else Path(file).name


def _tell(message: str) -> None:
    print(f"{PROGRAM}: {cli.clean(message)}", file=sys.stderr, flush=True)


def _show_reuse(reused: int, total: int) -> None:
    """What an earlier question left, on a terminal only."""
    if reused and sys.stderr.isatty():
        _tell(f"{reused:,} of {total:,} tokens were kept from an earlier question")


def _as_json(answer: "Answer", line: int | None, args: argparse.Namespace) -> dict[str, object]:
    return {
        "question": args.question,
        "status": "found" if answer.found else "not_found",
        "answer": answer.text,
        "file": args.file,
        "line": line,
        "model": args.model,
        "finish_reason": answer.last.finish_reason,
        "tokens": {
            "prompt": answer.prompt_tokens,
            "reused": answer.reused_tokens,
            "generated": answer.last.generation_tokens,
        },
    }


if __name__ == "__main__":
    sys.exit(main())
