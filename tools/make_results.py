"""Make the leaderboards in results/ and the README's table from the committed records."""

import re
from pathlib import Path

from segbench.leaderboard import leaderboard
from segbench.leaderboard_formats import as_csv, as_markdown
from segbench.pages.leaderboard import leaderboard_page
from segbench.records import read_records

ROOT = Path(__file__).parents[1]
TABLE = re.compile(r"(<!-- leaderboard: .*? -->\n).*?(<!-- /leaderboard -->)", re.DOTALL)


def main() -> None:
    """Write results/leaderboard.md, .csv and .html, and the table in README.md."""
    records, problems = read_records(ROOT / "results")
    if problems:
        raise SystemExit("\n".join(problems))
    tables = leaderboard(records)
    markdown = as_markdown(tables)
    (ROOT / "results/leaderboard.md").write_text(markdown, encoding="utf-8")
    (ROOT / "results/leaderboard.csv").write_text(as_csv(tables), encoding="utf-8")
    page = leaderboard_page(tables, records, ".")
    (ROOT / "results/leaderboard.html").write_text(page, encoding="utf-8")
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(
        TABLE.sub(lambda found: f"{found[1]}\n{markdown}\n{found[2]}", text), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
