"""Make everything that shows the committed records: tables, the page, the README's pictures."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import PIL.Image

from segbench.analysis.fields import Row
from segbench.analysis.rank import ranking, score_name, tables_of
from segbench.data.draw import legend, overlay
from segbench.plugins import Registry
from segbench.records.frame import frame_of
from segbench.records.record import Record, read_records
from segbench_plugins.commands.leaderboard.formats import as_csv, as_markdown
from segbench_plugins.commands.leaderboard.page import leaderboard_page
from segbench_plugins.commands.leaderboard.plot import pareto_plot
from segbench_plugins.commands.leaderboard.points import plot_key, points
from segbench_plugins.commands.pages import render
from segbench_plugins.datasets.cityscapes.labels import train_ids_from_label_ids
from segbench_plugins.datasets.streets.scene import draw_scene
from tools.readme_table import newest, readme_table

ROOT = Path(__file__).parents[1]
STREET = ROOT / "docs/pictures/street.png"
TABLE = re.compile(r"(<!-- leaderboard: .*? -->\n).*?(<!-- /leaderboard -->)", re.DOTALL)
RESULTS = """# Results

Every row comes from records in this folder: `run/` and `evaluate/` contain scores, `latency/`
latencies, and the `.npz` file beside a record its confusion matrices or samples.
[docs/records.md](../docs/records.md) defines every figure. `leaderboard.csv` has all columns, and
`leaderboard.html` is a page to download and open: it sorts, filters and plots the same rows.

The records are the best training of each network on each dataset and a few others to compare it
with, scores on most runtimes that were timed, and the latency sessions of each machine. A latency
is INVALID if the machine was not steady, the samples were too few or its baseline is INVALID (the
record says which); it is kept until a VALID one replaces it. Removed were trainings replaced by a
better one, VALID sessions of MobileNetV2 wide and wide4 replaced by newer ones, latencies with a
wrong roofline (the FP32 rate for an INT8 engine, or a rate higher than the machine's), latencies
of a CPU whose extensions were not recorded yet, and records that no suite repeats: VGG16 on
`streets` with an old recipe, and latencies of VGG16 with random weights on the H200, INVALID after
0.4 s each. The files in `suites/` name every record here but the two of `external/`, which
`tools/kitti_folds.py` makes. Scores on *unknown extensions* are from before these were recorded.
Rows timed on the H200 are from trainings still in progress, on frames re-encoded as JPEG of
quality 95. docs/results.md has the details.

A rank is shared by networks that the frames do not separate, VALID latencies first and the fastest
of them on top, so a slightly lower score may stand above a higher one. Seeds are not part of it.

"""


def main() -> None:
    """Write the files of ``texts``, and the picture of a street."""
    records, problems = read_records(ROOT / "results")
    if problems:
        raise SystemExit("\n".join(problems))
    STREET.parent.mkdir(exist_ok=True)
    for name, text in texts(records).items():
        (ROOT / name).write_text(text, encoding="utf-8")
    PIL.Image.fromarray(street()).save(STREET)


def texts(records: Sequence[Record]) -> dict[str, str]:
    """The text of each file that shows ``records``."""
    frame = frame_of(records)
    board = ranking(frame)
    tables = tables_of(board)
    rows = headline(tables)
    named = {record.name or "": record for record in records}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return {
        "results/README.md": RESULTS + as_markdown(tables),
        "results/leaderboard.csv": as_csv(board),
        "results/leaderboard.html": leaderboard_page(board, named.get, frame["started_at"], "."),
        "docs/pictures/pareto.svg": pareto_picture(rows),
        "README.md": TABLE.sub(
            lambda found: f"{found[1]}\n{readme_table(valid(rows))}\n{found[2]}", readme
        ),
    }


def headline(tables: Mapping[str, Sequence[Row]]) -> list[Row]:
    """The table that has VALID rows of most networks; the one with the best score of several."""

    def networks_and_score(rows: Sequence[Row]) -> tuple[int, float]:
        timed = valid(rows)
        best = max((row["score"] for row in timed), default=0.0)
        return len({row["network"] for row in timed}), best

    return max(map(newest, tables.values()), key=networks_and_score)


def valid(rows: Sequence[Row]) -> list[Row]:
    """Those with a VALID latency."""
    return [row for row in rows if row["verdict"] == "VALID"]


def pareto_picture(rows: Sequence[Row]) -> str:
    """A light SVG file, for a README, of a table's plot of most points; it must have one."""
    light = dict(re.findall(r"--([\w-]+): light-dark\((.+?),", render("page.css")))
    style = re.sub(r"var\(--([\w-]+)\)", lambda name: light[name[1]], render("plot.css"))
    most = max(points(rows).values(), key=len)
    plot = pareto_plot(most, plot_key({"": list(rows)}), score_name(rows[0]), whole=True)
    return render("plot.svg", plot=plot, style=style)


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
