"""One way to write a file: whole or not there, never through a planted link."""

import errno
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from segbench.errors import SegbenchError
from segbench.files import (
    ENDING,
    HELD,
    SECOND,
    check_writable,
    draft_of,
    locked,
    read_text,
    write_or_print,
)


def test_a_planted_link_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    for name in ("s.json", "s.json.tmp", ".s.json"):
        (tmp_path / name).symlink_to(target)
    with draft_of(tmp_path / "s.json") as draft:
        draft.write_text("new")
    assert target.read_text() == "mine"
    assert (tmp_path / "s.json").read_text() == "new"
    assert not (tmp_path / "s.json").is_symlink()


def test_a_failed_block_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    def write() -> None:
        with draft_of(tmp_path / "a") as draft:
            draft.write_text("ne")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(SegbenchError, match=r"a cannot be written \(No space"):
        write()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


def test_an_error_of_a_library_is_not_one_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot open shared object"), draft_of(tmp_path / "a"):
        raise OSError("libnvinfer.so.10: cannot open shared object file")


def test_the_error_in_a_draft_of_a_draft_names_the_file(tmp_path: Path) -> None:
    with (
        pytest.raises(SegbenchError) as error,
        draft_of(tmp_path / "a") as draft,
        draft_of(draft),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert error.value.message == f"{tmp_path / 'a'} cannot be written (No space left on device)."


def test_files_and_folders_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        with draft_of(tmp_path / "file") as draft:
            draft.write_text("")
        with draft_of(tmp_path / "folder") as draft:
            draft.mkdir()
        with locked(tmp_path / "lock"):
            pass
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"file": 0o664, "folder": 0o775, "lock": 0o664}


@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_what_a_killed_process_left_is_swept_and_what_another_writes_is_not(tmp_path: Path) -> None:
    killed = os.fork()
    if killed == 0:
        with draft_of(tmp_path / "a") as draft:
            draft.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(killed, 0)
    (left,) = tmp_path.iterdir()
    with draft_of(tmp_path / "a") as first, draft_of(tmp_path / "a") as second:
        for draft in (first, second):
            draft.write_text("whole")
        for folder in tmp_path.iterdir():
            make_older(folder, 2 * SECOND)
        with suppress(SegbenchError), draft_of(tmp_path / "b"):
            assert first.exists()
            assert second.exists()
            assert not left.exists()
            raise SegbenchError("not written")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_of_somebody_else_is_not_swept(tmp_path: Path) -> None:
    for name in ("mine.draft", f".mine{ENDING}"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "precious").touch()
        make_older(tmp_path / name, 1e6)
    with draft_of(tmp_path / "a") as draft:
        draft.write_text("whole")
    assert len(list(tmp_path.glob("*mine*/precious"))) == 2


def test_no_link_is_followed_while_sweeping(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / HELD).write_text("mine")
    make_older(precious, 1e6)
    (tmp_path / f".a.planted{ENDING}").symlink_to(precious)
    with draft_of(tmp_path / "a") as draft:
        draft.write_text("whole")
    assert (precious / HELD).read_text() == "mine"


def make_older(path: Path, seconds: float) -> None:
    os.utime(path, (path.stat().st_mtime - seconds,) * 2)


def test_long_and_odd_names(tmp_path: Path) -> None:
    for name in ("é" * 120, "[x]*?", "a" * 250):
        with draft_of(tmp_path / name) as draft:
            draft.write_text(name)
        assert (tmp_path / name).read_text() == name


def test_one_holds_a_lock_and_the_other_waits_or_is_told(tmp_path: Path) -> None:
    lock, order = tmp_path / "lock", []

    def second() -> None:
        with locked(lock):
            order.append("second")

    with locked(lock):
        with pytest.raises(SegbenchError, match="busy"), locked(lock, "busy"):
            pass
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_result_that_cannot_be_written_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SegbenchError, match="cannot be written"):
        write_or_print(tmp_path / "file" / "s.json", "{}\n")
    assert capsys.readouterr().out == "{}\n"


def test_a_lack_of_space_is_said_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(SegbenchError, match="make room"):
        check_writable(tmp_path, needed=10**18)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="needs a FIFO")
def test_what_might_block_or_never_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    (tmp_path / "b").symlink_to("/dev/zero")
    for name in "ab":
        with pytest.raises(OSError, match="not a regular file"):
            read_text(tmp_path / name)
