"""The README.md of a written folder: what it is, what it was made of, how well it does, how it is used.

Its header is what the hub sorts models by. Its text is Markdown, which may hold HTML, so
every name that came from elsewhere is escaped, and commands stand in fences that no line
of theirs can close.
"""

import re
import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convert.folder.front_matter import written_front_matter
from convert.folder.origin import Origin
from convert.folder.report import Measured
from convert.folder.summary import Summary, summary_of
from convert.folder.versions import versions

#: What each way to choose codes does, for readers who do not know its name.
METHODS = {
    "fit": "rounding-aware fit of scales and biases to the weights, without calibration text",
    "round": "plain rounding, as MLX does it",
    "gptq": "GPTQ: layer by layer, each rounding error made up for by the weights that follow",
    "awq": "AWQ: channels that matter on calibration text are scaled up before rounding",
    "mxfp4": "rounding to 4-bit floating point with shared exponents (OCP microscaling)",
    "mxfp8": "rounding to 8-bit floating point with shared exponents (OCP microscaling)",
    "nvfp4": "rounding to 4-bit floating point with 8-bit floating-point scales",
    "kept": "the integer codes of the quantised original, unchanged",
}

#: Headings that a card is found again by when measured numbers join it later.
MEASURED, USE = "## Measured against the original", "## Use"


@dataclass(frozen=True)
class Card:
    """What a card says beyond what its folder shows.

    `reference` is what a reader gives programs to load the model; `command` the program and
    arguments that made it; `method` a key of `METHODS`, or None where nothing was quantised;
    `library` the one that the folder was made for, mlx or transformers.
    """

    reference: str
    command: Sequence[str]
    method: str | None = None
    origin: Origin = field(default_factory=Origin)
    library: str = "mlx"


def write_card(folder: Path, card: Card) -> None:
    """Writes README.md into `folder`, whose weights and config are in place."""
    (folder / "README.md").write_text(card_text(summary_of(folder), card), encoding="utf-8")


def card_text(summary: Summary, card: Card) -> str:
    """The whole card of a folder that `summary` describes."""
    title = escaped(Path(card.reference).name or card.reference)
    sections = [
        written_front_matter(_header(summary, card)),
        f"# {title}\n",
        _introduction(summary, card),
        _facts(summary, card),
        _use(summary, card),
        f"## How it was made\n\n{fenced(shlex.join(card.command))}",
    ]
    return "\n".join(sections)


def escaped(text: str) -> str:
    """`text` as one line of Markdown in which nothing is markup, HTML or invisible."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&$])", r"\\\1", visible(text))


def visible(text: str) -> str:
    """`text` without control, direction and other invisible characters, its lines joined."""
    joined = " ".join(text.split())
    return "".join(c for c in joined if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))


def fenced(command: str) -> str:
    """A block of code whose fence is longer than any in `command`."""
    shown = "\n".join(visible(line) for line in command.splitlines())
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}bash\n{shown}\n{fence}\n"


def _header(summary: Summary, card: Card) -> dict[str, str | Sequence[str]]:
    header: dict[str, str | Sequence[str]] = {
        "library_name": card.library,
        "pipeline_tag": "text-generation",
    }
    for key, values in card.origin.terms.items():
        header[key] = values[0] if len(values) == 1 and key != "language" else values
    if card.origin.base_model:
        header["base_model"] = card.origin.base_model
        if summary.quantization:
            header["base_model_relation"] = "quantized"
    bits = [f"{summary.quantization['bits']}-bit"] if summary.quantization else []
    header["tags"] = [*(["mlx"] if card.library == "mlx" else []), summary.model_type, *bits]
    return header


def _introduction(summary: Summary, card: Card) -> str:
    form = "in MLX format" if card.library == "mlx" else "in floating point, for transformers"
    if not card.origin.base_model:
        return f"A {escaped(summary.model_type)} model {form}.\n"
    base = card.origin.base_model  # an owner and a name of plain characters
    return f"[{escaped(base)}](https://huggingface.co/{base}) {form}.\n"


def _facts(summary: Summary, card: Card) -> str:
    rows = [("Weights", _weights(summary))]
    if summary.quantization and card.method:
        rows.append(("Method", f"`{escaped(card.method)}`: {METHODS.get(card.method, 'as named')}"))
    rows += [
        ("Bits per weight", f"{summary.bits_per_weight:.2f}"),
        ("Size", f"{_size(summary.weight_bytes)} for {summary.parameters:,} parameters"),
        ("Made with", ", ".join(f"{name} {version}" for name, version in versions().items())),
    ]
    return _table(("", ""), rows)


def _weights(summary: Summary) -> str:
    settings = summary.quantization
    if not settings:
        return summary.dtype
    mode = "" if settings.get("mode", "affine") == "affine" else f" {settings['mode']}"
    others = sum(1 for value in settings.values() if isinstance(value, dict | bool))
    differing = f"; {others} {'layer differs' if others == 1 else 'layers differ'}, see config.json"
    return (
        f"{settings['bits']} bits{escaped(mode)} in groups of {settings['group_size']},"
        f" the rest {summary.dtype}{differing if others else ''}"
    )


def measured_section(measured: Sequence[Measured]) -> str:
    """The part of a card that tells what was measured."""
    rows = [
        (escaped(one.kind), f"{one.kl:.3g}", f"{one.perplexity:.4g}", f"{100 * one.top1:.1f} %")
        for one in measured
    ]
    head = ("Text", "KL divergence (nats a token)", "Perplexity", "Same most likely token")
    return f"{MEASURED}\n\n{_table(head, rows)}"


def _use(summary: Summary, card: Card) -> str:
    name = shlex.quote(card.reference)
    commands = [f"qwen2-chat -m {name}"]
    if not summary.permuted:
        commands.append(f"mlx_lm.chat --model {name}")
    if card.library == "transformers":
        code = f"from transformers import pipeline; pipeline('text-generation', {card.reference!r})"
        commands.append(f"python -c {shlex.quote(code)}")
    note = "\nSome of its matrices take their inputs in an order of their own, which mlx-lm does not know.\n"
    block = fenced("\n".join(commands))
    return f"{USE}\n\n{block}{note if summary.permuted else ''}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _size(nbytes: int) -> str:
    return f"{nbytes / 1e9:.2f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.1f} MB"
