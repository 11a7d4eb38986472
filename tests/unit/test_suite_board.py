"""The table of a suite's jobs on hosts."""

from io import StringIO

from rich.console import Console

from segbench.progress import Reporter
from segbench_plugins.commands.suite.board import Board


def shown(terminal: bool) -> tuple[str, Board]:
    """What is on the screen while of three jobs one is done, one runs and one waits."""
    reporter, screen = Reporter(), StringIO()
    reporter.console = Console(file=screen, force_terminal=terminal, width=100)
    board = Board(["first", "second"], reporter)
    with board:
        second, first = board.line("second", "train"), board.line("first", "train")
        board.line("first", "latency")
        second.host, first.host = "10.0.0.2", "10.0.0.1"
        second.say("epoch 1/9")
        first.end("done", "mIoU 0.5")
    return screen.getvalue(), board


def test_a_terminal_has_one_table_of_what_runs_where() -> None:
    text, _ = shown(terminal=True)
    (row,) = {line for line in text.splitlines() if "10.0.0.2" in line}
    assert row.split()[:5] == ["second", "train", "10.0.0.2", "epoch", "1/9"]
    assert "1 running, 1 done, 1 waiting" in text


def test_elsewhere_there_are_lines() -> None:
    text, _ = shown(terminal=False)
    assert text.splitlines() == [
        "second: train on 10.0.0.2: epoch 1/9",
        "first: train: done, mIoU 0.5",
    ]


def test_rows_are_in_the_order_of_the_entries() -> None:
    _, board = shown(terminal=False)
    board.lines[0].end("failed", "it was lost")
    assert [(row.entry, row.state) for row in board.rows] == [
        ("first", "done"),
        ("second", "failed"),
    ]
