"""What stands in a record may be anything: in a page it is text and nothing else."""

from html import escape

from segbench.leaderboard_columns import printable


def safe(text: str) -> str:
    """``text`` as HTML, between tags or in a quoted attribute, without control characters."""
    return escape(printable(text))
