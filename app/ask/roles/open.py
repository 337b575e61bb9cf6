"""From the names of models to the roles they play."""

from collections.abc import Callable

from app.ask.roles.engine import Engine
from app.ask.roles.model_roles import ModelRoles
from app.ask.roles.scout import choose_scout
from app.ask.roles.sizes import sizes
from app.ask.roles.usage import Counter
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.loading import load
from qwen2_mlx.memory.limit import memory_limit as limit_here
from qwen2_mlx.memory.plan import weight_bytes
from qwen2_mlx.models import Model
from qwen2_mlx.prefix_store.folder import Folder
from qwen2_mlx.tokenizer import Tokenizer

#: A loaded model.
Loaded = tuple[Model, Tokenizer]

#: Both models must cut it into the same tokens: windows are measured with one and read by the other.
_PROBE = "The year 1999, naïve <|im_start|> 数学 🙂\n\n\tdef f(x): return x ** 2"


def open_roles(
    model_ref: str,
    scout: str = "auto",
    *,
    rope: str = "auto",
    kv_bits: str = "auto",
    memory_limit: int | None = None,
    max_tokens: int = 512,
    prefixes: Folder | None = None,
    notify: Callable[[str], None] = lambda message: None,
    opened: Loaded | None = None,
    loader: Callable[[str], Loaded] | None = None,
) -> ModelRoles:
    """Loads the answering model and its scout (see `choose_scout`), which may be the same.

    `memory_limit` is in bytes; None is what the machine offers. Processed texts are kept in
    `prefixes`, and what goes wrong there is told to `notify` in one line. `opened` is the answering
    model where that is loaded already, with the length factor `position`, and `loader` what loads
    the others in place of `qwen2_mlx.load`. Raises a `Qwen2Error`.
    """
    loader = loader or (lambda ref: _load(ref, rope))
    limit, counter = memory_limit or limit_here(), Counter()

    def engine(name: str, opened: Loaded, others: int) -> Engine:
        left = max(1, limit - others)
        return Engine(
            *opened, name, counter, kv_bits=kv_bits, memory_limit=left, prefixes=prefixes, notify=notify
        )

    opened = opened or loader(model_ref)
    scout_ref = choose_scout(scout, model_ref, opened[0].args)
    if scout_ref == model_ref:
        answering = scouting = engine(model_ref, opened, 0)
    else:
        small = loader(scout_ref)
        if small[1].encode(_PROBE) != opened[1].encode(_PROBE):
            raise Qwen2Error(
                f"{scout_ref} cuts text into other tokens than {model_ref};"
                " choose a --scout of the same family"
            )
        answering = engine(model_ref, opened, weight_bytes(small[0]))
        scouting = engine(scout_ref, small, weight_bytes(opened[0]))
    for one in {answering, scouting}:
        one.check_memory()
    return ModelRoles(answering, scouting, sizes(answering, scouting, limit), max_tokens)


def _load(ref: str, rope: str) -> Loaded:
    # The only temperature of dual chunks under which a document's part is the same in every prompt.
    return load(ref, rope=rope, length_factor="position")
