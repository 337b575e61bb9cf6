"""Named options, and texts to begin a prompt with."""

import json

from app.chat.options import Options
from app.chat.store.chats import one_line
from app.chat.store.database import Database
from app.chat.store.records import Preset, Template
from app.sqlite_file import whole_characters
from qwen2_mlx.errors import Qwen2Error


def presets(database: Database) -> list[Preset]:
    rows = database.rows("SELECT id, name, options FROM presets ORDER BY name COLLATE NOCASE, name")
    return [Preset(id, name, Options.from_json(json.loads(options))) for id, name, options in rows]


def save_preset(database: Database, name: str, options: Options) -> Preset:
    """A preset of this name gets these options. Raises `Qwen2Error` for a name without a sign."""
    name = one_line(name)
    if not name:
        raise Qwen2Error("a preset needs a name; give it one")
    database.run(
        "INSERT INTO presets (name, options) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET options = excluded.options",
        (name, json.dumps(options.as_json())),
    )
    return next(preset for preset in presets(database) if preset.name == name)


def remove_preset(database: Database, id: int) -> None:
    database.run("DELETE FROM presets WHERE id = ?", (id,))


def templates(database: Database) -> list[Template]:
    return [Template(*row) for row in database.rows("SELECT slug, title, body FROM templates ORDER BY slug")]


def save_template(database: Database, template: Template) -> None:
    """A template of this slug becomes this one. Raises `Qwen2Error` for a slug that cannot be typed."""
    slug = template.slug.removeprefix("/")
    if not slug or len(slug) > 50 or not all(sign.isalnum() or sign in "-_" for sign in slug):
        raise Qwen2Error("the name of a template has letters, digits, - and _ only; choose another name")
    database.run(
        "INSERT OR REPLACE INTO templates VALUES (?, ?, ?)",
        (slug, one_line(template.title), whole_characters(template.body)),
    )


def remove_template(database: Database, slug: str) -> None:
    database.run("DELETE FROM templates WHERE slug = ?", (slug,))
