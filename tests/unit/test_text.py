"""Text from anybody's files, cleaned for a terminal, a CSV, markdown and HTML."""

import csv
import io
from html.parser import HTMLParser

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from segbench.cli.terminal import Console, echo
from segbench.errors import SegbenchError
from segbench.progress import Reporter
from segbench.text import csv_cell, lines, markdown, printable
from segbench_plugins.commands.pages import templates

HOSTILE = "a\x1b[2Jb\x9b31mc\rd\x07\u202ee\ud800"


@given(st.text())
def test_nothing_steers_a_terminal(text: str) -> None:
    assert printable(text).isprintable()
    assert all(line.isprintable() for line in lines(text).split("\n"))


def test_every_way_to_the_terminal_is_cleaned(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(HOSTILE, title=HOSTILE)
    table.add_row(HOSTILE)
    console = Console()
    console.print(table)
    console.print(HOSTILE, soft_wrap=True)
    echo(HOSTILE)
    Reporter().say(HOSTILE)

    @click.command()
    def fails() -> None:
        raise SegbenchError(HOSTILE)

    shown = "".join(capsys.readouterr()) + CliRunner().invoke(fails).output
    assert shown.count("a [2Jb") >= 4
    assert all(character.isprintable() or character == "\n" for character in shown)


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "@SUM(A1)", "+1", "-1+2", "\t=1", "\r=1"])
def test_a_spreadsheet_takes_no_text_for_a_formula(text: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerow([csv_cell(text), csv_cell(-1.5), csv_cell(None), csv_cell("a-b")])
    (cells,) = csv.reader(io.StringIO(out.getvalue()))
    assert cells[0].startswith("'")
    assert cells[1:] == ["-1.5", "", "a-b"]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("[a](javascript:b)", r"\[a\](javascript:b)"),
        ("![a](http://b)", r"!\[a\](http://b)"),
        ("`a`", r"\`a\`"),
        ("a|b\nc", r"a\|b c"),
        ("<img>", "&lt;img>"),
        ("a\\|b", r"a\\\|b"),
        ("MobileNetV2 0.75, fp16", "MobileNetV2 0.75, fp16"),
    ],
)
def test_markdown_is_text(text: str, escaped: str) -> None:
    assert markdown(text) == escaped


@given(st.text(alphabet="<>&\"'ab/=", max_size=30))
def test_html_is_text(text: str) -> None:
    seen: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: seen.append(tag)  # type: ignore[method-assign]
    page = templates().from_string("<p title='{{ text }}'>{{ text }}</p>")
    parser.feed(page.render(text=text))
    assert seen == ["p"]
