"""Load: from a setup to an open model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import mlx.core as mx

from app.ask.roles.model_roles import ModelRoles
from app.ask.roles.open import open_roles
from app.chat.engine.counting import Counting
from app.chat.engine.fingerprint import fingerprint
from app.chat.engine.messages import ModelInfo, Said
from app.chat.engine.pace import stoppable_step
from app.chat.engine.where import local_folder
from app.chat.options import Setup
from app.long_context import plan_prompt
from qwen2_mlx.loading import load
from qwen2_mlx.memory.limit import memory_limit
from qwen2_mlx.memory.plan import MemoryLimitError, Plan, weight_bytes
from qwen2_mlx.models import Model
from qwen2_mlx.prefix_store.folder import default_folder
from qwen2_mlx.session import ChatSession
from qwen2_mlx.tokenizer import Tokenizer

#: Longest answer from documents, in tokens.
_LONGEST_ANSWER = 512

#: The part of the memory beside the weights that a chat's cache may keep while documents are read.
_KEPT_SHARE = 8


def open_model(setup: Setup) -> OpenModel:
    """Loads a model that is on this machine. Raises a `Qwen2Error`."""
    folder = local_folder(setup.model)
    return OpenModel(setup, folder, *_load(str(folder), setup.rope))


def _load(ref: str, rope: str) -> tuple[Model, Tokenizer]:
    # A turn reuses what earlier ones left, which is exact only if temperatures follow positions.
    return load(ref, rope=rope, length_factor="position")


class OpenModel:
    """A loaded model with the conversation in its cache; see `app.chat.engine.opened.Opened`."""

    def __init__(self, setup: Setup, folder: Path, model: Model, tokenizer: Tokenizer) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._counting = Counting(tokenizer)
        self._roles: ModelRoles | None = None
        self._scout_bytes = 0
        self._step = stoppable_step(model)
        config = model.args
        self.info = ModelInfo(
            setup,
            fingerprint=fingerprint(folder),
            rope_mode=config.rope_mode,
            context_length=config.context_length,
            trained_length=config.trained_length,
            proven_length=config.proven_length,
            weight_bytes=weight_bytes(model),
            limit=setup.memory_limit or memory_limit(),
        )
        self.session = ChatSession(model, tokenizer, plan=self._plan)

    def count(self, conversation: Sequence[Said]) -> int:
        return self._counting.count(conversation)

    def roles(self) -> ModelRoles:
        """The model and its scout; where memory is short the chat's cache goes, and is read anew later."""
        spare = self.info.limit - self.info.weight_bytes
        if mx.get_active_memory() - self.info.weight_bytes > spare // _KEPT_SHARE:
            self.session.forget()
        if self._roles is None:
            setup = self.info.setup
            self._roles = open_roles(
                setup.model,
                kv_bits=setup.kv_bits,
                memory_limit=self.info.limit,
                max_tokens=_LONGEST_ANSWER,
                prefixes=default_folder(),
                opened=(self._model, self._tokenizer),
                loader=self._load_scout,
            )
        return self._roles

    def _load_scout(self, ref: str) -> tuple[Model, Tokenizer]:
        model, tokenizer = _load(str(local_folder(ref)), self.info.setup.rope)
        self._scout_bytes = weight_bytes(model)
        return model, tokenizer

    def _plan(self, tokens: int) -> Plan:
        """How so many tokens are processed; a scout that stands in the way is let go."""
        try:
            plan = self._planned(tokens)
        except MemoryLimitError:
            if not self._scout_bytes:
                raise
            self._roles, self._scout_bytes = None, 0
            plan = self._planned(tokens)
        return replace(plan, prefill_step=min(plan.prefill_step, self._step))

    def _planned(self, tokens: int) -> Plan:
        limit = max(1, self.info.limit - self._scout_bytes)
        return plan_prompt(self._model, tokens, self.info.setup.kv_bits, limit)
