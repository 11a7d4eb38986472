"""Make everything that shows the committed records: tables, the page, the README's pictures."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image

from segbench.leaderboard.formats import as_csv, as_markdown
from segbench.leaderboard.rank import Row, Tables, leaderboard, renumbered
from segbench.metrics.cityscapes_labels import train_ids_from_label_ids
from segbench.pages.leaderboard import leaderboard_page
from segbench.pages.leaderboard_points import pareto_picture, points
from segbench.plugins import Registry
from segbench.records.record import Record, read_records
from segbench.render import legend, overlay
from segbench.scenes.scene import draw_scene

ROOT = Path(__file__).parents[1]
STREET = ROOT / "docs/pictures/street.png"
TABLE = re.compile(r"(<!-- leaderboard: .*? -->\n).*?(<!-- /leaderboard -->)", re.DOTALL)
RESULTS = """# Results

Every row is a record in this folder: `run/` and `evaluate/` hold scores, `latency/` holds
latencies, and an `.npz` beside a record holds its confusion matrices or samples.
[docs/records.md](../docs/records.md) defines every figure. `leaderboard.csv` has all columns, and
`leaderboard.html` is a page to download and open: it sorts, filters and plots the same rows.

"""


def main() -> None:
    """Write the files that ``texts`` gives, and the picture of a street."""
    records, problems = read_records(ROOT / "results")
    if problems:
        raise SystemExit("\n".join(problems))
    STREET.parent.mkdir(exist_ok=True)
    for name, text in texts(records).items():
        (ROOT / name).write_text(text, encoding="utf-8")
    PIL.Image.fromarray(street()).save(STREET)


def texts(records: Sequence[Record]) -> dict[str, str]:
    """What ``records`` amount to, by file."""
    tables = leaderboard(records)
    face = face_of(tables)
    table = as_markdown(face)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    most = max(face.values(), key=lambda rows: sum(map(len, points(rows).values())))
    return {
        "results/README.md": RESULTS + as_markdown(tables),
        "results/leaderboard.csv": as_csv(tables),
        "results/leaderboard.html": leaderboard_page(tables, records, "."),
        "docs/pictures/pareto.svg": pareto_picture(most),
        "README.md": TABLE.sub(lambda found: f"{found[1]}\n{table}\n{found[2]}", readme),
    }


def face_of(tables: Tables) -> Tables:
    """What the README shows: the newest row of each backbone on each runtime, ranked anew.

    Of a table with latencies it is the newest of those that have one.
    """

    def shown(rows: Sequence[Row]) -> list[Row]:
        scored = [row for row in rows if row["rank"] is not None]
        timed = [row for row in scored if row["p50_ms"] is not None]
        newest: dict[tuple[str, str], Row] = {}
        for row in sorted(timed or scored, key=lambda row: Path(row["record"]).name):
            newest[row["backbone"], row["runtime"]] = row
        return renumbered([row for row in rows if row in newest.values()])

    return {title: shown(rows) for title, rows in tables.items() if shown(rows)}


def street() -> np.ndarray:
    """A frame of ``streets`` with its labels over the right half."""
    dataset = Registry.load().dataset("streets")
    scene = draw_scene(seed=0, number=8, size=(384, 768))
    class_map = train_ids_from_label_ids[scene.label_ids]
    half = scene.image.shape[1] // 2
    picture = scene.image.copy()
    drawn = overlay(scene.image, class_map, dataset.palette)
    picture[:, half:] = drawn[:, half:]
    return legend(picture, class_map[:, half:], dataset.classes, dataset.palette)


if __name__ == "__main__":
    main()
