"""`qwen2-eval perplexity`: how well text is predicted, by position, in one or more modes."""

import argparse
import hashlib
import json
import sys
from typing import TYPE_CHECKING

from app import cli
from app.eval import flags, grid

if TYPE_CHECKING:
    from app.eval.engine import Engine
    from app.eval.perplexity import Text
    from qwen2_mlx.config import ModelConfig


def add_flags(parser: cli.Parser) -> None:
    """The flags of `qwen2-eval perplexity`."""
    add = parser.add_argument
    flags.add_model_flag(add)
    add("--text", metavar="FILE", help="a UTF-8 text file, or - for stdin (default: generated texts)")
    add("--length", type=grid.length, metavar="LENGTH",
        help="tokens of a text, such as 3072, 128k or 4T (default: the longest of --grid quick)")  # fmt: skip
    add("--texts", type=cli.positive_int, default=4, metavar="N",
        help="texts to average over, of FILE as many as it has (default: 4)")  # fmt: skip
    add(
        "--buckets", type=cli.positive_int, default=16, metavar="N", help="positions told apart (default: 16)"
    )
    flags.add_mode_flags(add)
    flags.add_run_flags(add)


def run(program: str, args: argparse.Namespace) -> int:
    """Measures what is still to do and reports everything."""
    from app.eval.engine import Engine
    from app.eval.perplexity import FIELDS, measure, results, unfinished
    from app.eval.progress import prompt_cost
    from app.eval.report.perplexity import PerplexityReport
    from app.eval.watch import watched

    engine = Engine(args.model, args.memory_limit)
    length = _length(args, engine.config)
    modes = flags.chosen_modes(args, engine, length)
    texts, parameters = _texts(args, engine, length)
    with flags.open_store(args, "perplexity", parameters, engine, FIELDS) as store:
        to_do = unfinished(texts, args.buckets, modes, store)
        costs = [prompt_cost(engine.config, length)] * len(to_do)
        with watched(program, store, costs, len(modes) * len(texts) - len(to_do)) as progress:
            measure(texts, args.buckets, modes, engine, store, progress)
        settings = {
            "task": "perplexity",
            "model": args.model,
            "seed": args.seed,
            "length": length,
            "trained_length": engine.config.trained_length,
            "texts": len(texts),
            "parameters": parameters,
        }
        report = PerplexityReport(settings, modes, *results(texts, args.buckets, modes, store))
        report.write(store.folder)
    print(json.dumps(report.as_dict(), ensure_ascii=False) if args.json else report.as_text())
    print(f"{program}: files in {store.folder}", file=sys.stderr)
    return 0


def _length(args: argparse.Namespace, config: "ModelConfig") -> int:
    from qwen2_mlx.errors import Qwen2Error

    if args.length:
        length = args.length.tokens(config.trained_length)
    else:
        length = grid.default_lengths("quick", [config.with_rope(rope) for rope in args.rope or ["auto"]])[-1]
    if length < 2 * args.buckets:
        raise Qwen2Error(
            f"{length} tokens are too few for {args.buckets} buckets; use fewer or a longer text"
        )
    return length


def _texts(args: argparse.Namespace, engine: "Engine", length: int) -> "tuple[list[Text], dict[str, str]]":
    """The texts, and what tells them from other texts of the same names."""
    from app.eval.perplexity import chronicles, windows
    from app.plain_text import read_text

    if args.text is None:
        return list(chronicles(engine.tokenizer, length, args.texts, args.seed)), {"text": "chronicle"}
    content = read_text(args.text)
    texts = list(windows(engine.tokenizer, content, length, args.texts))
    return texts, {"text": f"sha256:{hashlib.sha256(content.encode()).hexdigest()[:16]}"}
