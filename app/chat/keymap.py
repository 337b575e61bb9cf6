"""The keys as the reader has set them: the table of `keys.py` under the key map of the settings."""

from collections.abc import Iterable, Mapping

from textual.keys import format_key

from app.chat.keys import KEYS, Key, Where, keys_of

#: Keys by the id of their action, as in the settings.
Keymap = Mapping[str, str]


def keys_for(key: Key, keymap: Keymap) -> list[str]:
    """Textual's names of the keys that do this."""
    return [name.strip() for name in keymap.get(key.id, key.keys).split(",") if name.strip()]


def actions_of(where: Where, keymap: Keymap) -> dict[str, str]:
    """The action of every key of one place."""
    return {name: key.action for key in keys_of(where) for name in keys_for(key, keymap)}


def key_text(key: Key, keymap: Keymap) -> str:
    """The keys of an action for people: "^r", "shift+enter"."""
    return " ".join(shown(name) for name in keys_for(key, keymap))


def shown(name: str) -> str:
    """One key for people: "^r" is ctrl and r."""
    if name.startswith("ctrl+"):
        return "^" + shown(name.removeprefix("ctrl+"))
    return {"escape": "esc", "pagedown": "page down", "pageup": "page up"}.get(name, format_key(name))


def known(keymap: Keymap) -> dict[str, str]:
    """The part of a key map that the table knows."""
    ids = {key.id for key in KEYS}
    return {id: keys for id, keys in keymap.items() if id in ids}


def ids() -> Iterable[str]:
    """The names by which keys can be set."""
    return (key.id for key in KEYS)


def clashes(keymap: Keymap) -> list[str]:
    """One line for each key that the key map gives to several actions of one place; one of them has it."""
    taken: dict[tuple[Where, str], list[str]] = {}
    for key in KEYS:
        for name in keys_for(key, keymap):
            taken.setdefault((key.where, name), []).append(key.id)
    return [
        f"{name} is set for {' and '.join(found)}; only one of them has it, set the other"
        for (_, name), found in taken.items()
        if len(found) > 1
    ]
