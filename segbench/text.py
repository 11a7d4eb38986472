"""What stands in a record may be anything: on a terminal and in a page it is one line of text."""

import re
from collections.abc import Iterable

MARKDOWN = re.compile(r"([\\`\[\]|])")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def printable(text: str) -> str:
    """``text`` without what could break a line or steer a terminal."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


def lines(text: str) -> str:
    """The same for a message of several lines."""
    if text.isprintable():
        return text
    return "\n".join(map(printable, text.split("\n")))


def unicode(name: str) -> str:
    """The name of a file, which may hold bytes that are no Unicode, with "?" for those."""
    return name.encode(errors="replace").decode()


def markdown(text: str) -> str:
    """``text`` in a cell of a pipe table: no link, picture, code or tag begins in it."""
    return MARKDOWN.sub(r"\\\1", printable(text)).replace("<", "&lt;")


def csv_cell(value: object) -> object:
    """``value`` for a CSV: text that a spreadsheet would take for a formula gets an apostrophe."""
    if not isinstance(value, str):
        return value
    return f"'{lines(value)}" if value.startswith(FORMULA) else lines(value)


def counted(count: int, noun: str) -> str:
    """``1 picture``, ``2 pictures``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def by(size: Iterable[int]) -> str:
    """``352x480``: height and width, or any shape."""
    return "x".join(map(str, size))
