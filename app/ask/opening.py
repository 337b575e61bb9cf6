"""Loading the models that answer."""

import argparse
from collections.abc import Callable

from app import long_context
from app.ask.agent import Agent, Options
from app.ask.asking import Engine
from app.ask.events import Event
from app.ask.library import Library
from app.ask.roles.model_roles import ModelRoles
from app.ask.roles.open import open_roles
from qwen2_mlx.loading import read_config
from qwen2_mlx.resolve import resolve


class Models:
    """The answering model and its scout, loaded."""

    def __init__(self, library: Library, roles: ModelRoles):
        self._library, self._roles = library, roles

    @property
    def model(self) -> str:
        return self._roles.model_name

    @property
    def scout(self) -> str:
        return self._roles.scout_name

    def agent(
        self, options: Options, stopped: Callable[[], bool], on_event: Callable[[Event], None]
    ) -> Agent:
        return Agent(self._library, self._roles, options, stopped, on_event=on_event)


def open_engine(args: argparse.Namespace, library: Library, tell: Callable[[str], None]) -> Engine:
    """Loads what the flags name; `tell` is given one-line messages for people."""
    from qwen2_mlx.prefix_store.folder import default_folder

    roles = open_roles(
        args.model,
        args.scout,
        rope=args.rope,
        kv_bits=args.kv_bits,
        memory_limit=args.memory_limit,
        max_tokens=args.max_tokens,
        prefixes=None if args.no_store else default_folder(),
        notify=tell,
    )
    config = read_config(resolve(args.model)).with_rope(args.rope)
    if message := long_context.past_proven(config, max(args.window or 0, args.evidence or 0)):
        tell(message)
    return Models(library, roles)
