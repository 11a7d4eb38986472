"""A report in a real browser: nothing is fetched, nothing fails, names stay text."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner

from segbench.cli import main
from segbench.records.arrays import ScoredFrames
from segbench.records.record import read_record
from segbench_plugins.commands.report.figures import View
from segbench_plugins.commands.report.page import report_page
from segbench_plugins.commands.report.sections import frame_section
from tests.browser.conftest import OpenPage

RECORDS = Path(__file__).parents[1] / "records"
RUN = RECORDS / "run" / "20261124T165555Z-509bfdfdce66.json"
ODD = "<script>document.title = 'taken'</script>"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a published run whose class, backbone and record are called a script."""
    folder = tmp_path_factory.mktemp("report")
    record = json.loads(RUN.read_text().replace("Fence", ODD))
    record["config"]["backbone"] = ODD
    copy = folder / "record.json"
    copy.write_text(json.dumps(record))
    shutil.copy(RUN.with_suffix(".npz"), copy.with_suffix(".npz"))
    page = folder / "report.html"
    done = CliRunner().invoke(main, ["report", str(copy), "--output", str(page)])
    assert done.exit_code == 0, done.output
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_the_page_stands_alone(open_page: OpenPage, report: Path, scheme: str, width: int) -> None:
    page = open_page(report, color_scheme=scheme, viewport={"width": width, "height": 800})
    assert page.title() == f"FCN8s {ODD} on camvid test"
    assert page.locator("script").count() == 0
    assert page.locator("th", has_text=ODD).first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    loaded = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
    assert page.evaluate(loaded)
    assert all(image.get_attribute("alt") for image in page.locator("img").all())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_follow_the_colours_of_the_page(
    open_page: OpenPage, report: Path, scheme: str
) -> None:
    page = open_page(report, color_scheme=scheme)
    for card in page.locator(".card").all():
        shot = np.array(PIL.Image.open(io.BytesIO(card.screenshot())).convert("L"))
        assert (np.median(shot) > 200) == (scheme == "light")
        assert np.ptp(shot) > 120


@pytest.mark.parametrize("width", [1400, 400])
def test_frames_are_side_by_side_or_stacked_but_never_cut(
    open_page: OpenPage, tmp_path: Path, width: int
) -> None:
    labels = np.zeros((3, 4), np.uint8)
    view = View("f0", 1.0, np.zeros((3, 4, 3), np.uint8), labels, labels)
    frames = ScoredFrames(("f0",), ("road",), np.array([[[12, 0]]]))
    section = frame_section(frames, [view], ((128, 64, 128),))
    (tmp_path / "a.html").write_text(report_page(read_record(RUN), [section]))
    page = open_page(tmp_path / "a.html", viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [image.bounding_box() for image in page.locator(".frames img").all()]
    tops = [box["y"] for box in boxes if box]
    assert len(tops) == 3
    assert (len(set(tops)) == 1) == (width > 400)


def test_a_folded_table_opens_by_keyboard(open_page: OpenPage, report: Path) -> None:
    page = open_page(report)
    folded = page.locator("details", has_text="Confusion matrix")
    assert not folded.locator("table").is_visible()
    folded.locator("summary").press("Enter")
    assert folded.locator("table").is_visible()
