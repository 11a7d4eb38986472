"""The leaderboard page as its reader sees it: on a phone, on a laptop, in the dark and on paper."""

from pathlib import Path

import pytest

from tests.browser.conftest import OpenPage

PHONE, LAPTOP = 400, 1400
# 297 mm without margins of 12 mm, in CSS pixels.
A4_LANDSCAPE = 1031
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


@pytest.mark.parametrize("width", [PHONE, LAPTOP])
def test_details_cover_no_mark(open_page: OpenPage, crowded: Path, width: int) -> None:
    page = open_page(crowded, viewport={"width": width, "height": 900})
    plot = page.locator(".plotted").first
    plot.locator(".point").first.focus()
    tip, drawing = plot.locator(".tip").bounding_box(), plot.locator("svg").bounding_box()
    assert tip
    assert drawing
    beside = tip["x"] >= drawing["x"] + drawing["width"]
    assert beside or tip["y"] >= drawing["y"] + drawing["height"]


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
    open_page: OpenPage, board: Path, crowded: Path, width: int
) -> None:
    for path in (board, crowded):
        page = open_page(path, viewport={"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, LAPTOP])
def test_the_filter_is_one_opaque_line_over_the_whole_width(
    open_page: OpenPage, crowded: Path, width: int, scheme: str
) -> None:
    page = open_page(crowded, viewport={"width": width, "height": 900}, color_scheme=scheme)
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
    open_page: OpenPage, crowded: Path, table: str, width: int, scheme: str
) -> None:
    page = open_page(crowded, viewport={"width": width, "height": 700}, color_scheme=scheme)
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
    open_page: OpenPage, crowded: Path, width: int
) -> None:
    page = open_page(crowded, viewport={"width": width, "height": 700})
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


def test_a_phone_shows_score_and_p50_at_once(open_page: OpenPage, crowded: Path) -> None:
    page = open_page(crowded, viewport={"width": PHONE, "height": 800})
    for name in ("score", "p50 ms"):
        heads = page.get_by_role("button", name=name, exact=True).all()
        assert len(heads) > 1
        boxes = [head.bounding_box() for head in heads]
        assert all(box and box["x"] + box["width"] <= PHONE for box in boxes)


def test_tables_fit_a_printed_page(open_page: OpenPage, crowded: Path) -> None:
    page = open_page(crowded, viewport={"width": A4_LANDSCAPE, "height": 700})
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= A4_LANDSCAPE
