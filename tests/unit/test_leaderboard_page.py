"""The leaderboard as a page: what stands in it, and that a record cannot break it."""

from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas import DataFrame

from segbench.analysis.rank import leaderboard, ranking
from segbench.records.frame import frame_of
from segbench.records.record import Record
from segbench_plugins.commands.leaderboard import page as pages
from segbench_plugins.commands.leaderboard.page import (
    HeatRow,
    best_rows,
    heat_map,
    leaderboard_page,
    page_columns,
    rows_a_table,
    shared,
)
from segbench_plugins.commands.leaderboard.points import distinctions, points
from tools.make_results import pareto_picture

VOID = {"meta", "input", "link", "br"}


def record(
    kind: str, metrics: dict[str, Any], backbone: str = "mobilenet", **config: Any
) -> Record:
    asked = {
        "dataset": "camvid",
        "split": "test",
        "backbone": backbone,
        "decoder": "bilinear",
        "runtime": "eager",
        "height": 352,
        "width": 480,
        "checkpoint_sha256": backbone,
    }
    path = Path(f"results/{kind}/{backbone}.json")
    return Record(kind, asked | config, metrics, {}, {}, path=path)


def scored(score: float, **config: Any) -> Record:
    return record("run", {"score": score, "score_name": "miou"}, **config)


def timed(p50_ms: float, verdict: str = "VALID", **config: Any) -> Record:
    metrics = {"p50_ms": p50_ms, "verdict": verdict, "reasons": []}
    return record("latency", metrics, device="cpu", **({"scope": "model"} | config))


def html(*records: Record) -> str:
    return page(board(records), records)


def board(records: Sequence[Record]) -> DataFrame:
    return ranking(frame_of(records))


def page(rows: DataFrame, records: Sequence[Record]) -> str:
    named = {record.name or "": record for record in records}
    return leaderboard_page(rows, named.get, frame_of(records)["started_at"], "results")


class Tree(HTMLParser):
    """Fails where a tag is not closed by its own, and keeps texts and scripts' number."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.scripts = 0
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_column_without_a_value_is_left_out() -> None:
    assert ">p50 ms<" not in html(scored(0.5))
    assert ">p50 ms<" in html(scored(0.5), timed(9.0))
    assert ">kept in float<" not in html(scored(0.5), timed(9.0))


def test_what_all_rows_share_is_said_once() -> None:
    records = [scored(0.5), timed(9.0), scored(0.6, backbone="vgg16", height=176)]
    (rows,) = leaderboard(records).values()
    assert shared(rows) == {"timed": "model"}
    assert "In all rows: timed model." in html(*records)
    assert shared(rows[:1]) == {}


def test_an_invalid_figure_says_why() -> None:
    doubted = timed(9.0, "INVALID")
    doubted.metrics["reasons"] = ["few samples", "a drift > 5%"]
    assert "INVALID: few samples; a drift &gt; 5%" in html(doubted)


def test_ways_of_timing_are_plots_of_their_own_and_a_limit_is_in_none() -> None:
    records = [
        scored(0.5),
        timed(9.0),
        timed(12.0, scope="end-to-end"),
        timed(11.0, backbone="vgg16"),
        scored(0.6, backbone="vgg16"),
        timed(1.0, backbone="few"),
        scored(0.9, backbone="few", limit=3),
    ]
    (rows,) = leaderboard(records).values()
    drawn = {timed: [point.ms for point in found] for timed, found in points(rows).items()}
    assert drawn == {"model": [11.0, 9.0], "end-to-end": [12.0]}


def test_points_and_classes_are_told_apart_by_what_differs() -> None:
    same = [scored(0.5), scored(0.6, backbone="vgg16")]
    (rows,) = leaderboard(same).values()
    assert distinctions(rows) == ["", ""]
    other = scored(0.4, checkpoint_sha256="other", keep_float=["stem"], epochs=12, crop="192x256")
    (rows,) = leaderboard([*same, other]).values()
    assert distinctions(rows) == ["", "", "crop 192x256, epochs 12, kept in float stem"]


def test_training_has_columns_only_where_it_tells_rows_apart() -> None:
    long = {"epochs": 40, "crop": "192x256", "precision": "bf16"}
    short = long | {"epochs": 12, "checkpoint_sha256": "other"}
    other = replace(scored(0.6, **short), path=Path("results/run/other.json"))
    text = html(scored(0.5, **long), timed(9.0), other)
    assert ">epochs<" in text
    assert ">crop</button>" not in text
    assert ">training precision<" not in text
    assert ">epochs</button>" not in html(scored(0.5, **long), timed(9.0))
    assert "<dt>epochs</dt><dd>40</dd>" in text
    assert "<dt>precision</dt><dd>bf16</dd>" in text


def test_only_an_invalid_latency_is_hollow() -> None:
    (rows,) = leaderboard([scored(0.5), timed(9.0), timed(8.0, "", scope="end-to-end")]).values()
    for row in rows:
        row["verdict"] = row["verdict"] or None
    verdicts = [point.verdict for drawn in points(rows).values() for point in drawn]
    assert verdicts == ["VALID", None]


def test_an_interval_stands_under_the_miou_but_under_no_other_score_or_frame() -> None:
    sure = scored(0.5)
    sure.metrics.update(miou_low=0.4, miou_high=0.6)
    assert "<small>0.4000 to 0.6000</small>" in html(sure)
    sure.metrics["frames"] = 1
    assert "<small>" not in html(sure)
    sure.metrics.update(frames=2, score_name="MaxF")
    assert "<small>" not in html(sure)


def test_a_heat_map_has_all_classes_and_blanks_for_what_is_undefined() -> None:
    first, second = (
        HeatRow("a", "", {"Sky": 1.0, "Road": None}),
        HeatRow("b", "", {"Car": 0.5, "Sky": "odd"}),
    )
    assert heat_map([first, second]) == {
        "classes": ["Sky", "Road", "Car"],
        "rows": [
            (first, [("1.000", 45), ("", None), ("", None)]),
            (second, [("", None), ("", None), ("0.500", 22)]),
        ],
    }


def test_a_heat_map_stands_in_the_page() -> None:
    known = replace(scored(0.5), per_class={"iou": {"Sky": 1.0, "Road": None}})
    assert '<td style="--tint: 45%">1.000</td><td></td>' in html(known)
    assert "IoU of each class" not in html(scored(0.5))


def test_networks_that_no_setting_tells_apart_are_told_by_their_checkpoints() -> None:
    ((row,),) = leaderboard([scored(0.5, checkpoint_sha256="0123456789", seed=0)]).values()
    twin = row | {"checkpoint_sha256": "abcdefghi"}
    assert distinctions([row, twin]) == ["checkpoint 0123456", "checkpoint abcdefg"]
    assert distinctions([row, twin | {"seed": 1}]) == ["seed 0", "seed 1"]


def test_a_page_of_5000_rows_stays_small() -> None:
    origin = {"argv": ["segbench"] * 50, "versions": {f"package{n}": "1.2.3" for n in range(30)}}
    iou = {"iou": {f"class {n}": 0.5 for n in range(19)}}
    score = replace(scored(0.5), provenance=origin, per_class=iou)
    latency = replace(timed(9.0), provenance=origin)
    ((row,),) = leaderboard([score, latency]).values()
    rows = [row | {"seed": n, "p50_ms": 9.0 + n} for n in range(5000)]
    text = page(DataFrame(rows, dtype=object), [score, latency])
    assert len(text) < 20_000_000
    assert "1000 of 5000 rows" in text


def test_a_table_says_why_networks_share_a_rank() -> None:
    rows = board([scored(0.5), scored(0.6, backbone="vgg16")])
    said = "share a rank, VALID latencies first"
    assert said not in page(rows, [])
    assert said in page(rows.assign(rank=1), [])


def test_what_decides_comes_first() -> None:
    (rows,) = leaderboard([scored(0.5), timed(9.0), scored(0.6, backbone="vgg16")]).values()
    heads = [column.header for column in page_columns(rows)]
    assert heads[:5] == ["rank", "network", "runtime", "score", "p50 ms"]


@pytest.mark.parametrize(
    ("lengths", "most"),
    [([], 1), ([3], 3), ([10, 10], 10), ([60, 3], 20), ([30, 30], 11), ([2] * 30, 1)],
)
def test_tables_share_the_rows_of_a_page(
    monkeypatch: pytest.MonkeyPatch, lengths: list[int], most: int
) -> None:
    monkeypatch.setattr(pages, "MOST_ROWS", 23)
    assert rows_a_table(lengths) == most


def test_a_long_table_keeps_its_front_and_says_what_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = []
    for n in range(6):
        backbone = f"net{n}"
        records += [scored(0.9 - n / 100, backbone=backbone), timed(20.0, backbone=backbone)]
    records += [scored(0.5, backbone="fast"), timed(5.0, backbone="fast")]
    assert list(best_rows(board(records), 2)["backbone"]) == ["net0", "net1", "fast"]
    assert "rows: the best scores" not in html(*records)
    monkeypatch.setattr(pages, "MOST_ROWS", 2)
    text = html(*records)
    assert "3 of 7 rows: the best scores and the Pareto fronts" in text
    assert text.count("<tbody data-row=") == 3


def test_a_front_as_long_as_its_table_is_thinned_out() -> None:
    names = [f"net{n}" for n in range(12)]
    records = [timed(20.0 - n, backbone=name) for n, name in enumerate(names)]
    records += [scored(0.9 - n / 100, backbone=name) for n, name in enumerate(names)]
    kept = list(best_rows(board(records), 3)["backbone"])
    assert kept[:3] == names[:3]
    assert kept[3:] == ["net3", "net7", "net11"]


def test_of_more_tables_than_rows_the_rest_is_left_to_the_csv(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = [scored(0.5, backbone=name, dataset=name) for name in "abcd"]
    assert "more tables" not in html(*records)
    monkeypatch.setattr(pages, "MOST_ROWS", 3)
    assert "<p>1 more tables are not shown." in html(*records)
    assert html(*records).count("<h2>") == 3


def test_the_picture_for_a_readme_stands_alone() -> None:
    (rows,) = leaderboard([scored(0.5), timed(9.0)]).values()
    picture = pareto_picture(rows)
    assert ElementTree.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
    assert "fill: #fdfdfc" in picture
    assert "var(" not in picture


ODD = st.text(st.characters(exclude_categories=[]), max_size=12) | st.sampled_from(
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style>", "a'b&amp;"]
)


@given(names=st.tuples(ODD, ODD, ODD), reason=ODD)
def test_whatever_a_record_says_stays_text(names: tuple[str, str, str], reason: str) -> None:
    backbone, runtime, dataset = names
    asked = {"runtime": runtime, "dataset": dataset, "weights": reason, "checkpoint_sha256": "a"}
    origin = {"argv": [reason], "commit": backbone, "versions": {runtime: reason}, "cpu": dataset}
    score = replace(
        scored(0.5, **asked), provenance=origin, per_class={"iou": {reason: 0.5, "odd": "odd"}}
    )
    score.config["backbone"] = backbone
    latency = timed(9.0, "INVALID", **asked)
    latency.metrics["reasons"] = [reason]
    latency.config["backbone"] = backbone
    text = html(score, replace(latency, provenance=origin), scored(0.4), timed(8.0))
    tree = Tree(text)
    assert tree.scripts == 1
    text.encode("utf-8")


def test_a_name_is_shown_as_it_is_written() -> None:
    text = html(scored(0.5, backbone="<script>x</script>"))
    assert "FCN8s <script>x</script>" in Tree(text).texts


def test_without_records_there_is_a_page() -> None:
    Tree(html())
