"""Texts to begin a prompt with: choose one, write and change them."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList, Static, TextArea

from app.chat.screens.confirm import Confirm
from app.chat.screens.dialog import Dialog
from app.chat.screens.rows import Draw, Rows
from app.chat.screens.text import fitted, line
from app.chat.store.records import Template

if TYPE_CHECKING:
    from app.chat.store import Store

SLUG = re.compile(r"[\w-]{1,50}")
SLUG_WIDTH = 16


class Templates(Dialog[Template | None]):
    """The result is the template to insert."""

    HEADING = "Templates"
    HINT = "enter insert   n new   e edit   x remove   esc close"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "new", show=False),
        Binding("e", "edit", "edit", show=False),
        Binding("x,delete", "remove", "remove", show=False),
    ]

    DEFAULT_CSS = """
    Templates {
        & > #box { height: 80%; }
        &.-narrow > #box { height: 100%; }
    }
    """

    def __init__(self, store: "Store") -> None:
        super().__init__()
        self._store = store
        self._templates: Sequence[Template] = ()

    def body(self) -> Iterable[Widget]:
        yield Rows()
        yield Static(id="empty", classes="note", markup=False)
        yield Horizontal(
            Button("Insert", id="insert", compact=True),
            Button("New", id="new", compact=True),
            Button("Edit", id="edit", compact=True),
            Button("Remove", id="remove", compact=True),
            classes="buttons",
        )

    def on_mount(self) -> None:
        self._refill()

    def on_option_list_option_selected(self, _: OptionList.OptionSelected) -> None:
        self.dismiss(self._highlighted)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "insert":
            self.dismiss(self._highlighted)
        else:
            getattr(self, f"action_{event.button.id}")()

    def action_new(self) -> None:
        self.app.push_screen(TemplateForm(self._store, None), self._written)

    def action_edit(self) -> None:
        if (template := self._highlighted) is not None:
            self.app.push_screen(TemplateForm(self._store, template), self._written)

    def action_remove(self) -> None:
        if (template := self._highlighted) is None:
            return

        def answered(yes: bool | None) -> None:
            if yes and self.attempt(lambda: self._store.remove_template(template.slug)):
                self._refill()

        self.app.push_screen(Confirm(f"Remove the template /{template.slug}?", "Remove"), answered)

    def _written(self, template: Template | None) -> None:
        if template is not None:
            self._refill(template.slug)

    @property
    def _highlighted(self) -> Template | None:
        index = self.query_one(Rows).highlighted
        return None if index is None or index >= len(self._templates) else self._templates[index]

    def _refill(self, slug: str = "") -> None:
        """Lists the templates; `slug` is highlighted, else the first."""
        self._templates = self._store.templates()
        rows = self.query_one(Rows)
        slugs = [template.slug for template in self._templates]
        rows.show([_row(template) for template in self._templates], slugs.index(slug) if slug in slugs else 0)
        none_yet = "no templates yet; n writes the first, and /its-name inserts it while you type"
        self.query_one("#empty", Static).update("" if self._templates else none_yet)
        for button in self.query(Button):
            button.disabled = not self._templates and button.id != "new"
        rows.focus()


def _row(template: Template) -> Draw:
    def draw(width: int) -> Content:
        slug = fitted(f"/{template.slug}", SLUG_WIDTH)
        text = f"{line(template.title)} — {line(template.body)}" if template.title else line(template.body)
        return Content.assemble((slug, "bold"), " ", fitted(text, width - SLUG_WIDTH - 1))

    return draw


class TemplateForm(Dialog[Template | None]):
    """One template, new where `template` is None; it is saved here."""

    HEADING = "Template"
    HINT = "tab next   ctrl+s save   esc leave without saving"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "save", "save", show=False, priority=True)]

    DEFAULT_CSS = """
    TemplateForm {
        & > #box { height: 80%; }
        TextArea { height: 1fr; }
    }
    """

    def __init__(self, store: "Store", template: Template | None) -> None:
        super().__init__()
        self._store, self._old = store, template
        self._template = template or Template("", "", "")

    def body(self) -> Iterable[Widget]:
        yield Static("name, called with / in front", classes="label", markup=False)
        yield Input(self._template.slug, compact=True, id="slug", max_length=50)
        yield Static("title", classes="label", markup=False)
        yield Input(self._template.title, compact=True, id="title")
        yield Static("text", classes="label", markup=False)
        yield TextArea(self._template.body, compact=True, id="body")
        yield Horizontal(Button("Save", id="save", compact=True), classes="buttons")

    def on_mount(self) -> None:
        self.query_one("#slug" if self._old is None else "#body").focus()

    def on_input_submitted(self) -> None:
        self.focus_next()

    def on_button_pressed(self) -> None:
        self.action_save()

    def action_save(self) -> None:
        template = Template(
            self.query_one("#slug", Input).value.strip().removeprefix("/"),
            self.query_one("#title", Input).value.strip(),
            self.query_one("#body", TextArea).text,
        )
        if problem := self._problem(template):
            self.tell(problem)
            return
        if self.attempt(lambda: self._save(template)):
            self.dismiss(template)

    def _save(self, template: Template) -> None:
        self._store.save_template(template)
        if self._old is not None and self._old.slug != template.slug:
            self._store.remove_template(self._old.slug)

    def _problem(self, template: Template) -> str:
        if not SLUG.fullmatch(template.slug):
            return "the name must be 1 to 50 letters, digits, - or _"
        renamed = self._old is None or self._old.slug != template.slug
        if renamed and any(other.slug == template.slug for other in self._store.templates()):
            return f"there is a template /{template.slug} already; choose another name"
        if not template.body.strip():
            return "the text is empty; write what the prompt should begin with"
        return ""
