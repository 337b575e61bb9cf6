"""How much a model is given at once, from the length it was trained on and the memory there is."""

from app.ask import prompts
from app.ask.roles.engine import Engine
from app.ask.roles.protocol import Sizes

#: For models that were trained on long texts; others get the same shares of what they have.
CHUNK, OVERLAP, WINDOW, WHOLE = 400, 60, 8192, 24000
EVIDENCE, LARGE_EVIDENCE = 6000, 12000

#: Bytes from which on there is room for the larger evidence: three quarters of 32 GB.
LARGE_MEMORY = 24 * 10**9


def sizes(engine: Engine, scout: Engine, memory_limit: int) -> Sizes:
    """The sizes for an answering model and its scout; `memory_limit` is in bytes.

    A prompt stays, with its question and the reply, within the length that was trained and that
    fits the memory.
    """
    trained = min(
        *(least for one in (engine, scout) for least in (one.model.args.trained_length, one.longest))
    )
    chunk = max(1, min(CHUNK, trained // 6))
    evidence = LARGE_EVIDENCE if memory_limit >= LARGE_MEMORY else EVIDENCE
    spoken = trained // 5  # for the question and the reply
    window = trained - spoken - len(scout.encode(prompts.notes("", "")))
    whole = trained - spoken - len(engine.encode(prompts.whole_document("", "")))
    return Sizes(
        chunk=chunk,
        overlap=chunk * OVERLAP // CHUNK,
        evidence=max(chunk, min(evidence, trained * 3 // 5)),
        window=max(chunk, min(WINDOW, window)),
        whole=max(chunk, min(WHOLE, whole)),
    )
