"""Whether a model fits, in words: what the memory plan says, how far it would fit, and what was shown."""

from typing import TYPE_CHECKING

from app.chat.models.installed import Installed

if TYPE_CHECKING:
    from app.chat.engine.messages import Fitted

#: Lengths that are offered, by their names.
CONTEXTS = {
    **{f"{count}K": count * 1024 for count in (4, 8, 16, 32, 64, 96, 128, 256, 512)},
    "1M": 1024**2,
}


def tokens_text(count: int) -> str:
    """A length in tokens as people say it: 32K is 32,768; rounded down to three figures."""
    if count < 1024:
        return str(count)
    unit, size = ("M", 1024**2) if count >= 1024**2 else ("K", 1024)
    if count >= 100 * size or count % size == 0:
        return f"{count // size}{unit}"
    return f"{int(10 * count / size) / 10:g}{unit}"


def fit_text(fitted: "Fitted | None") -> str:
    """Two short lines: the plan, and what follows from it. Never a bare refusal."""
    if fitted is None:
        return "computing what it needs…\n"
    if fitted.fits is None:
        return f"{fitted.line}\n"
    if fitted.fits:
        return f"{fitted.line}\nfits" + (
            f"; the most is {tokens_text(fitted.longest)}" if fitted.longest else ""
        )
    if fitted.longest:
        return (
            f"{fitted.line}\n! does not fit; fits to {tokens_text(fitted.longest)}, and can be loaded anyway"
        )
    return f"{fitted.line}\n! the weights alone are too large for this memory; it can be loaded anyway"


def proven_text(model: Installed, context: int) -> str:
    """What this model was shown to handle; "" where nothing is known of it."""
    if not model.trained:
        return ""
    known = f"trained on {tokens_text(model.trained)}, shown to find facts up to {tokens_text(model.proven)}"
    if context > model.longest:
        return f"{known}; its positions end at {tokens_text(model.longest)}"
    if context > model.proven:
        return f"! {tokens_text(context)} is past the proven length: {known}; check such answers"
    return known
