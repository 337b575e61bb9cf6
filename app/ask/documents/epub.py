"""E-books in the EPUB format, versions 2 and 3 (w3.org/TR/epub)."""

from collections.abc import Iterator
from urllib.parse import unquote, urldefrag
from zipfile import ZipFile

from lxml import etree

from app.ask.documents.document import Document
from app.ask.documents.html import decode_markup
from app.ask.documents.markup import as_html, write_markup
from app.ask.documents.source import Source
from app.ask.documents.writer import Writer, clean
from app.ask.documents.zip_safety import inside, open_checked, read_part
from qwen2_mlx.errors import Qwen2Error

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
#: Encrypted fonts are no protection of the text.
_FONT_ALGORITHMS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_MARKUP = ("application/xhtml+xml", "text/html", "text/x-oeb1-document")


def read_epub(source: Source) -> Document:
    """An e-book: its chapters in the order of the spine, unit "chapter", labelled with their titles.

    The title is that of the table of contents, else the first heading, else the page title.
    """
    with source.parsed_as("EPUB file"), open_checked(source) as archive:
        _refuse_protected(source, archive)
        package_name = _package_name(source, archive)
        package = _xml(source, archive, package_name)
        titles = _titles(source, archive, package_name, package)
        writer = Writer(source)
        missing = 0
        seen: set[str] = set()
        for number, name in enumerate(_spine(package_name, package), 1):
            if name is None or name not in archive.NameToInfo:
                missing += 1
                continue
            if name in seen:
                continue  # the format forbids it, and a small file could so become endless
            seen.add(name)
            _write_chapter(source, archive, name, number, titles.get(name, ""), writer)
    chapters = "1 chapter is" if missing == 1 else f"{missing:,} chapters are"
    warnings = [f"{chapters} named in the book but not in it"] if missing else []
    return writer.document("epub", "chapter", warnings)


def _write_chapter(
    source: Source, archive: ZipFile, name: str, number: int, title: str, writer: Writer
) -> None:
    """Adds a chapter; what it is called is known only after it was read."""
    chapter = Source(f"{source.name}: {name}", read_part(source, archive, name))
    part = Writer(chapter)
    page_title = write_markup(chapter, as_html(decode_markup(chapter)), part, with_title=False)
    writer.page(number, title or part.first_heading() or page_title)
    writer.append(part)


def _refuse_protected(source: Source, archive: ZipFile) -> None:
    if _ENCRYPTION not in archive.NameToInfo:
        return
    methods = _xml(source, archive, _ENCRYPTION).iter("{*}EncryptionMethod")
    if any(method.get("Algorithm", "") not in _FONT_ALGORITHMS for method in methods):
        raise Qwen2Error(
            f"{source.name} is protected against copying (DRM); only unprotected books can be read"
        )


def _package_name(source: Source, archive: ZipFile) -> str:
    roots = _xml(source, archive, _CONTAINER).iter("{*}rootfile")
    name = next((path for root in roots if (path := inside("", root.get("full-path", "")))), None)
    if name is None or name not in archive.NameToInfo:
        raise Qwen2Error(f"{source.name} is a damaged EPUB file (no package document); get a whole copy")
    return name


def _spine(package_name: str, package: etree._Element) -> Iterator[str | None]:
    """The names of the chapters in reading order; None for one that lies outside the archive."""
    items = {item.get("id"): item for item in package.iter("{*}item")}
    for reference in package.iter("{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is None:
            yield None
        elif item.get("media-type", _MARKUP[0]) in _MARKUP:
            yield inside(package_name, unquote(item.get("href", "")))


def _titles(source: Source, archive: ZipFile, package_name: str, package: etree._Element) -> dict[str, str]:
    """Chapter name to title, from the table of contents of version 3 or 2."""
    titles: dict[str, str] = {}
    seen: set[str] = set()
    for item in package.iter("{*}item"):
        name = inside(package_name, unquote(item.get("href", "")))
        is_nav = "nav" in item.get("properties", "").split()
        is_ncx = item.get("media-type") == "application/x-dtbncx+xml"
        if name in archive.NameToInfo and name is not None and name not in seen and (is_nav or is_ncx):
            seen.add(name)
            contents = _xml(source, archive, name)
            for reference, title in _nav_entries(contents) if is_nav else _ncx_entries(contents):
                target = inside(name, unquote(urldefrag(reference)[0]))
                if target and title:
                    titles.setdefault(target, title)
    return titles


def _nav_entries(contents: etree._Element) -> Iterator[tuple[str, str]]:
    for link in contents.iter("{*}a"):
        yield link.get("href", ""), _flat(link)


def _ncx_entries(contents: etree._Element) -> Iterator[tuple[str, str]]:
    for point in contents.iter("{*}navPoint"):
        label, content = point.find("{*}navLabel"), point.find("{*}content")
        if label is not None and content is not None:
            yield content.get("src", ""), _flat(label)


def _flat(element: etree._Element) -> str:
    return " ".join(clean("".join(str(text) for text in element.itertext())).split())


def _xml(source: Source, archive: ZipFile, name: str) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=True
    )
    root = etree.fromstring(read_part(source, archive, name), parser)
    if root is None:
        raise ValueError(f"{name} is no XML")
    return root
