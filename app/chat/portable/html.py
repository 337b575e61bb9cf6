"""A chat as one HTML file that needs nothing else: no scripts, no pictures, nothing from the network."""

from html import escape

from markdown_it import MarkdownIt

from app.chat.portable.outline import Entry, moment, outline, source_line, sources, title_of
from app.chat.store import ChatCopy
from app.cli import clean

#: Marks that turn the direction of what follows; what is quoted must not rearrange the page.
_DIRECTIONS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))

_PAGE = """\
<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 1.05rem/1.6 system-ui, sans-serif; }}
h1 {{ font-size: 1.6rem; line-height: 1.25; }}
.about, .note, .sources, time {{ font-size: 0.9rem; opacity: 0.75; }}
article {{ margin: 1.5rem 0; padding-top: 0.75rem; border-top: 1px solid rgb(128 128 128 / 40%);
  overflow-wrap: break-word; unicode-bidi: isolate; }}
article.user {{ border-left: 3px solid rgb(70 120 200); padding-left: 1rem; }}
article > h2 {{ font-size: 1rem; margin: 0 0 0.5rem; display: flex; gap: 1rem; align-items: baseline; }}
pre {{ padding: 0.75rem; overflow-x: auto; line-height: 1.4; background: rgb(128 128 128 / 14%);
  border-radius: 0.4rem; }}
code {{ font: 0.92em ui-monospace, monospace; }}
blockquote {{ margin-left: 0; padding-left: 1rem; border-left: 3px solid rgb(128 128 128 / 40%); }}
table {{ border-collapse: collapse; }}
th, td {{ border: 1px solid rgb(128 128 128 / 40%); padding: 0.25rem 0.6rem; }}
.system {{ white-space: pre-wrap; }}
</style>
</head>
<body>
<h1>{title}</h1>
{about}
{messages}
</body>
</html>
"""


def as_html(copy: ChatCopy, whole_tree: bool) -> str:
    """The branch that is shown; `whole_tree`: all branches, each message with its number."""
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
    return _PAGE.format(
        title=_escaped(title_of(copy)),
        about=_about(copy),
        messages="\n".join(_message(entry, parser) for entry in outline(copy, whole_tree)),
    )


def _about(copy: ChatCopy) -> str:
    lines = [f"Begun {moment(copy.created)}", f"Model {copy.options.setup.model}"]
    lines += [f"Document {attached.name}" for attached in copy.attachments]
    about = "<br>\n".join(_escaped(line) for line in lines)
    system = copy.options.system
    prompt = f'\n<blockquote class="system">{_escaped(system)}</blockquote>' if system else ""
    return f'<p class="about">{about}</p>{prompt}'


def _message(entry: Entry, parser: MarkdownIt) -> str:
    message = entry.message
    parts = [
        f'<article class="{message.role}" dir="auto">',
        f"<h2>{_escaped(entry.heading)} <time>{moment(message.created)}</time></h2>",
        parser.render(_shown(message.content)),
    ]
    if entry.note:
        parts.append(f'<p class="note">({_escaped(entry.note)})</p>')
    if cited := sources(message):
        items = "\n".join(
            f"<li>[{one.number}] {_escaped(source_line(one))}: <q>{_escaped(one.quote)}</q></li>"
            for one in cited
        )
        parts.append(f'<ul class="sources">\n{items}\n</ul>')
    return "\n".join([*parts, "</article>"])


def _shown(text: str) -> str:
    return clean(text).translate(_DIRECTIONS)


def _escaped(text: str) -> str:
    return escape(_shown(text))
