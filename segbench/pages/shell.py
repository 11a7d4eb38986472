"""The frame of every page: one style, light and dark, and no request to anywhere.

What stands in a record may be anything: callers pass it through ``html.escape``.
"""

import base64
from html import escape
from importlib.resources import files

CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; " + (
    "img-src data:"
)


def page(title: str, body: str, script: str = "", style: str = "") -> str:
    """A whole document; ``title`` is text, ``body`` is HTML, ``script`` is JavaScript.

    ``style`` is CSS of this page's own, after that of all pages.
    """
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{asset('page.css')}{style}</style></head>\n"
        f"<body><main>\n<h1>{escape(title)}</h1>\n{body}\n</main>\n"
        + (f"<script>\n{script}</script>\n" if script else "")
        + "</body></html>\n"
    )


def asset(name: str) -> str:
    """The text of a file that lies beside this module."""
    return files("segbench.pages").joinpath(name).read_text(encoding="utf-8")


def picture(png: bytes, description: str, narrow: bytes | None = None) -> str:
    """A PNG inside the page, ``narrow`` if given on a phone; ``description`` is its text."""
    image = f'<img alt="{escape(description)}" src="{_data(png)}">'
    if narrow is None:
        return image
    source = f'<source media="(max-width: 40rem)" srcset="{_data(narrow)}">'
    return f"<picture>{source}{image}</picture>"


def _data(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
