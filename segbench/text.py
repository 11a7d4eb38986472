"""Untrusted text, as in records, made safe for terminals, pages, tables and CSV."""

import re
from collections.abc import Iterable

MARKDOWN = re.compile(r"([\\`\[\]|])")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def printable(text: str) -> str:
    """``text`` without line breaks and control characters."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


def lines(text: str) -> str:
    """The same, keeping line breaks."""
    if text.isprintable():
        return text
    return "\n".join(map(printable, text.split("\n")))


def unicode(name: str) -> str:
    """A file name with "?" for bytes that are not valid Unicode."""
    return name.encode(errors="replace").decode()


def markdown(text: str) -> str:
    """``text`` for a Markdown table cell, with links, images, code and tags escaped."""
    return MARKDOWN.sub(r"\\\1", printable(text)).replace("<", "&lt;")


def csv_cell(value: object) -> object:
    """``value`` for a CSV: text that a spreadsheet would read as a formula gets an apostrophe."""
    if not isinstance(value, str):
        return value
    return f"'{lines(value)}" if value.startswith(FORMULA) else lines(value)


def counted(count: int, noun: str) -> str:
    """``1 picture``, ``2 pictures``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def by(size: Iterable[int]) -> str:
    """``352x480``: height and width, or any shape."""
    return "x".join(map(str, size))
