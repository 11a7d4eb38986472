"""What a terminal shows while work goes on, and what a log does."""

import io
import re
import time

import pytest
import rich.console

from segbench.progress import Reporter


@pytest.fixture
def terminal() -> Reporter:
    reporter = Reporter()
    reporter.console = rich.console.Console(
        file=io.StringIO(), force_terminal=True, width=80, color_system=None
    )
    return reporter


def shown(reporter: Reporter) -> str:
    return reporter.console.file.getvalue()


def test_work_without_steps_shows_its_name(terminal: Reporter) -> None:
    with terminal.working("load torch"):
        time.sleep(0.2)
    assert "load torch" in shown(terminal)


def test_a_bar_takes_the_place_of_a_spinner_which_goes_on_afterwards(terminal: Reporter) -> None:
    with terminal.working("quantise"):
        assert list(terminal.track("abc", 3, "calibrate")) == ["a", "b", "c"]
        before = len(shown(terminal))
        with terminal.working("check"):
            time.sleep(0.2)
    calibrated, afterwards = shown(terminal)[:before], shown(terminal)[before:]
    assert "calibrate" in calibrated
    assert "calibrate" not in afterwards
    assert "check" in afterwards


def test_a_spinner_inside_a_bar_is_not_drawn(terminal: Reporter) -> None:
    with terminal.steps(2, "open") as step, terminal.working("export"):
        step("")
    assert "export" not in shown(terminal)


def test_the_name_of_a_spinner_comes_back_after_an_error(terminal: Reporter) -> None:
    with terminal.working("outside"):
        with pytest.raises(KeyError), terminal.working("inside"):
            raise KeyError
        before = len(shown(terminal))
        time.sleep(0.2)
        assert "outside" in shown(terminal)[before:]


def test_more_steps_than_expected_raise_the_total(terminal: Reporter) -> None:
    with terminal.steps(2, "measure", idle=True) as step:
        for _ in range(3):
            step("")
    assert re.findall(r"\d/\d", shown(terminal))[-1] == "3/3"
    assert "3/2" not in shown(terminal)


def test_a_log_has_neither_bars_nor_spinners(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter()
    with reporter.working("load torch"), reporter.steps(2, "measure") as step:
        step("")
    assert capsys.readouterr() == ("", "")
