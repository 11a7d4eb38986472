"""What stands in a record may be anything: on a terminal and in a page it is one line of text."""

from html import escape


def printable(text: str) -> str:
    """``text`` without what could break a line or steer a terminal."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


def safe(text: str) -> str:
    """``text`` as HTML, between tags or in a quoted attribute."""
    return escape(printable(text))


def counted(count: int, noun: str) -> str:
    """``1 picture``, ``2 pictures``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
