"""The leaderboard page as its reader has it: in a browser, with a mouse or with the keyboard."""

import shlex
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from playwright.sync_api import Page

from segbench.cli import main
from segbench.records.record import Record, write_record
from tests.browser.conftest import OpenPage

RESULTS = Path(__file__).parents[2] / "results"
HINT = "Point at a mark to see its figures."
PHONE, LAPTOP = 400, 1400
# 297 mm without margins of 12 mm, in CSS pixels.
A4_LANDSCAPE = 1031
ODD = "<script>document.title = 'broken'</script>"
VGG16, MOBILENET, ODD_ONE = "FCN8s VGG16", "FCN8s MobileNetV2", f"FCN8s {ODD}"
"""The networks on these backbones, as a leaderboard calls them."""
ORIGIN: dict[str, Any] = {
    "started_at": "2026-01-02T03:04:05+00:00",
    "argv": ["segbench", "run", ODD],
    "commit": "0123456789",
    "dirty": True,
    "cpu": "A Processor",
    "cores": 2,
    "versions": {"torch": "2.11.0"},
}


def measure(results: Path, backbone: str, score: float, p50_ms: float, reason: str = "") -> None:
    config: dict[str, Any] = {
        "dataset": "camvid",
        "split": "test",
        "backbone": backbone,
        "runtime": "eager",
        "height": 352,
        "width": 480,
        "checkpoint_sha256": sha256(backbone.encode()).hexdigest(),
    }
    scored = {"score": score, "score_name": "miou", "frames": 233}
    iou = {"Sky": score, "Road": None}
    write_record(Record("run", config, scored, ORIGIN, {"iou": iou}), results)
    timed = {
        "p50_ms": p50_ms,
        "fps": 1000 / p50_ms,
        "verdict": "INVALID" if reason else "VALID",
        "reasons": [reason] if reason else [],
    }
    write_record(Record("latency", config | {"device": "cpu"}, timed, ORIGIN), results)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    measure(folder / "results", "vgg16", 0.7, 100.0)
    measure(folder / "results", "mobilenet", 0.6, 9.5)
    measure(folder / "results", ODD, 0.58, 20.0, "the median drifted")
    return write_page(folder / "results", folder / "board.html")


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the records in this repository, which has wide tables."""
    return write_page(RESULTS, tmp_path_factory.mktemp("committed") / "board.html")


def write_page(results: Path, output: Path) -> Path:
    asked = ["--format", "html", "--results", str(results), "--output", str(output)]
    done = CliRunner().invoke(main, ["leaderboard", *asked])
    assert done.exit_code == 0, done.output
    return output


@pytest.fixture
def page(open_page: OpenPage, board: Path) -> Page:
    return open_page(board)


def backbones(page: Page) -> list[str]:
    """What a reader sees in the column, from top to bottom."""
    cells = page.locator(".board tbody .name").all()
    return [cell.inner_text() for cell in cells if cell.is_visible()]


def test_a_column_sorts_by_its_numbers_both_ways(page: Page) -> None:
    assert backbones(page) == [VGG16, MOBILENET, ODD_ONE]
    head = page.locator("th.number", has_text="p50 ms")
    head.get_by_role("button").click()
    assert backbones(page) == [MOBILENET, ODD_ONE, VGG16]
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").click()
    assert backbones(page) == [VGG16, ODD_ONE, MOBILENET]
    assert head.get_attribute("aria-sort") == "descending"
    assert page.locator("th[aria-sort]").count() == 1


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_column_sorts_from_the_keyboard(page: Page, key: str) -> None:
    page.get_by_role("button", name="score", exact=True).press(key)
    assert backbones(page) == [ODD_ONE, MOBILENET, VGG16]


def test_what_is_empty_stays_last(page: Page) -> None:
    page.locator(".board tbody").first.locator("td").nth(2).evaluate(
        "cell => { cell.textContent = ''; delete cell.dataset.key; }"
    )
    button = page.get_by_role("button", name="score", exact=True)
    for expected in ([ODD_ONE, MOBILENET, VGG16], [MOBILENET, ODD_ONE, VGG16]):
        button.click()
        assert backbones(page) == expected


def test_a_filter_keeps_the_rows_with_all_words(page: Page) -> None:
    page.get_by_label("Filter rows").fill("camvid MOBILE")
    assert backbones(page) == [MOBILENET]
    assert page.locator(".controls output").inner_text() == "1 of 3 rows"
    points = page.locator(".point").all()
    assert [point.is_visible() for point in points] == [True, False, False]
    lines = page.locator(".heat tbody tr").all()
    assert [line.is_visible() for line in lines] == [False, True, False]
    assert page.locator("path.front").first.is_visible()
    page.get_by_label("Filter rows").fill("nowhere")
    assert page.locator("section").is_hidden()
    assert page.locator("path.front").first.is_hidden()
    page.get_by_label("Filter rows").fill("")
    assert len(backbones(page)) == 3
    assert all(point.is_visible() for point in points)


def test_a_plot_without_a_point_left_is_hidden_with_its_front(
    open_page: OpenPage, committed: Path
) -> None:
    page = open_page(committed)
    page.get_by_label("Filter rows").fill("vgg16")
    for section in page.locator("section:visible").all():
        assert section.locator(".board tbody:visible").count() > 0
        for figure in section.locator("figure").all():
            left = figure.locator("[data-rows]:not([hidden])").count()
            assert figure.is_visible() == (left > 0)
    assert page.locator("section:visible").count() > 0
    assert page.locator("section:visible figure:not(:visible)").count() > 0


def test_hovering_over_a_point_shows_its_details(page: Page) -> None:
    tip = page.locator(".tip")
    assert tip.inner_text() == HINT
    page.locator(".point .mark").first.hover()
    assert tip.inner_text().splitlines() == [
        f"{MOBILENET} eager",
        "mIoU 0.6000",
        "p50 9.50 ms",
        "VALID",
    ]
    page.mouse.move(0, 0)
    assert tip.inner_text() == HINT


@pytest.mark.parametrize("width", [PHONE, LAPTOP])
def test_details_cover_no_mark(open_page: OpenPage, committed: Path, width: int) -> None:
    page = open_page(committed, viewport={"width": width, "height": 900})
    plot = page.locator(".plotted").first
    plot.locator(".point").first.focus()
    tip, drawing = plot.locator(".tip").bounding_box(), plot.locator("svg").bounding_box()
    assert tip
    assert drawing
    beside = tip["x"] >= drawing["x"] + drawing["width"]
    assert beside or tip["y"] >= drawing["y"] + drawing["height"]


def test_the_keyboard_reaches_every_point_in_order_of_latency(page: Page) -> None:
    page.locator(".point").first.focus()
    seen = []
    for _ in range(3):
        seen.append(page.locator(".tip").inner_text())
        page.keyboard.press("Tab")
    assert [text.splitlines()[0] for text in seen] == [
        f"{MOBILENET} eager",
        f"{ODD_ONE} eager",
        f"{VGG16} eager",
    ]
    assert "INVALID: the median drifted" in seen[1]
    assert page.locator(".tip").inner_text() == HINT


def test_escape_closes_the_details(page: Page) -> None:
    page.locator(".point").first.focus()
    page.keyboard.press("Escape")
    assert page.locator(".tip").inner_text() == HINT


def test_a_row_unfolds_where_it_comes_from(page: Page, board: Path) -> None:
    unfold = page.get_by_role("button", name=VGG16, exact=True)
    origin = page.locator(".provenance").first
    assert origin.is_hidden()
    unfold.press("Enter")
    assert unfold.get_attribute("aria-expanded") == "true"
    text = origin.inner_text()
    assert "0123456789, dirty: source files differed from it" in text
    assert "2026-01-02T03:04:05+00:00" in text
    assert shlex.join(ORIGIN["argv"]) in text
    for link in origin.get_by_role("link").all():
        assert (board.parent / (link.get_attribute("href") or "")).is_file()
    unfold.press("Enter")
    assert origin.is_hidden()


def test_a_name_that_is_a_script_stays_text(page: Page) -> None:
    assert page.title() == "segbench leaderboard"
    assert page.locator("script").count() == 1
    assert ODD_ONE in backbones(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_on_the_deepest_tint_can_be_read(
    open_page: OpenPage, board: Path, scheme: str
) -> None:
    """WCAG asks for a contrast of 4.5 to 1."""
    cell = open_page(board, color_scheme=scheme).locator(".heat td[style]").first
    cell.evaluate("cell => cell.style.setProperty('--tint', '45%')")
    assert cell.evaluate(CONTRAST) > 4.5


@pytest.mark.parametrize("width", [PHONE, 1280, LAPTOP])
def test_only_tables_and_plots_scroll_sideways(
    open_page: OpenPage, board: Path, committed: Path, width: int
) -> None:
    for path in (board, committed):
        page = open_page(path, viewport={"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, LAPTOP])
def test_the_filter_is_one_opaque_line_over_the_whole_width(
    open_page: OpenPage, committed: Path, width: int, scheme: str
) -> None:
    page = open_page(committed, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.mouse.wheel(0, 1500)
    page.wait_for_function("scrollY > 1000")
    bar = page.locator(".controls")
    box = bar.bounding_box()
    assert box
    assert (box["x"], box["y"], box["width"]) == (0, 0, width)
    assert box["height"] < 48
    assert bar.evaluate("bar => getComputedStyle(bar).backgroundColor").startswith("rgb(")
    over = "({x, y}) => document.elementFromPoint(x, y).closest('.controls') !== null"
    assert all(page.evaluate(over, {"x": x, "y": 30}) for x in range(2, width - 2, 40))


def test_the_header_of_a_table_that_fits_sticks_below_the_filter(
    open_page: OpenPage, board: Path
) -> None:
    page = open_page(board, viewport={"width": LAPTOP, "height": 300})
    page.locator(".board tbody").last.evaluate("body => body.scrollIntoView()")
    box = page.locator(".board thead .name").bounding_box()
    bar = page.locator(".controls").bounding_box()
    assert page.locator(".scroll.fits .board").count() == 1
    assert box
    assert bar
    assert box["y"] == pytest.approx(bar["y"] + bar["height"], abs=1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, LAPTOP])
@pytest.mark.parametrize("table", [".board", ".heat"])
def test_the_header_of_a_wide_table_stays_below_the_filter_and_covers_all_rows(
    open_page: OpenPage, committed: Path, table: str, width: int, scheme: str
) -> None:
    page = open_page(committed, viewport={"width": width, "height": 700}, color_scheme=scheme)
    first = page.locator(table).first
    row = first.locator("tbody").first if table == ".board" else first.locator("tbody tr").nth(1)
    row.evaluate("row => scrollTo(0, row.getBoundingClientRect().top + scrollY - 60)")
    bar = page.locator(".controls").bounding_box()
    head = first.locator("thead").locator("th")
    page.wait_for_timeout(100)
    name, other = (head.nth(n).bounding_box() for n in ((1, 2) if table == ".board" else (0, 1)))
    assert bar
    for box in filter(None, (name, other)):
        assert box["y"] == pytest.approx(bar["y"] + bar["height"], abs=1.5)
        middle = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        assert page.evaluate(IN_THE_HEADER, middle)


@pytest.mark.parametrize("width", [PHONE, LAPTOP])
def test_a_wide_table_keeps_its_header_and_its_names_in_sight(
    open_page: OpenPage, committed: Path, width: int
) -> None:
    page = open_page(committed, viewport={"width": width, "height": 700})
    box = page.locator(".scroll:not(.fits)").first
    assert "gradient" in box.evaluate("box => getComputedStyle(box).backgroundImage")
    box.evaluate("box => box.scrollTo(9999, 300)")
    frame = box.bounding_box()
    head = box.locator("thead .name").bounding_box()
    assert frame
    assert head
    assert (head["x"], head["y"]) == pytest.approx((frame["x"], frame["y"]), abs=1)
    assert frame["height"] < 700
    last = box.locator("thead th").last.bounding_box()
    assert last
    assert last["x"] + last["width"] <= width


def test_a_phone_shows_score_and_p50_at_once(open_page: OpenPage, committed: Path) -> None:
    page = open_page(committed, viewport={"width": PHONE, "height": 800})
    for name in ("score", "p50 ms"):
        heads = page.get_by_role("button", name=name, exact=True).all()
        assert len(heads) > 1
        boxes = [head.bounding_box() for head in heads]
        assert all(box and box["x"] + box["width"] <= PHONE for box in boxes)


def test_tables_fit_a_printed_page(open_page: OpenPage, committed: Path) -> None:
    page = open_page(committed, viewport={"width": A4_LANDSCAPE, "height": 700})
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= A4_LANDSCAPE


IN_THE_HEADER = "({x, y}) => document.elementFromPoint(x, y).closest('thead') !== null"
CONTRAST = """cell => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const paper = getComputedStyle(document.body).backgroundColor;
  const luminance = (color) => {
    for (paint.fillStyle of [paper, color]) paint.fillRect(0, 0, 1, 1);
    const linear = Array.from(paint.getImageData(0, 0, 1, 1).data.slice(0, 3), (byte) => {
      const value = byte / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const style = getComputedStyle(cell);
  const pair = [luminance(style.color), luminance(style.backgroundColor)];
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}"""
