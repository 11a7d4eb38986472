"""What lies in the cache is used as it was made, or made again."""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segbench.cache import cache_dir, cached, keep, kept, private_dir
from segbench.data.frames import cached_split, labelled_frames
from segbench.errors import SegbenchError
from segbench.progress import Reporter
from segbench_plugins.runtimes.pytorch.compile import KERNELS, keep_kernels_private
from tests.tiny import SIZE, tiny_dataset, write_tiny

TINY = tiny_dataset()
QUIET = Reporter(quiet=True)


def make(folder: Path) -> None:
    folder.mkdir()
    (folder / "a").write_bytes(bytes(range(256)) * 64)
    (folder / "b.json").write_text("[1, 2]")


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def truncate(folder: Path) -> None:
    os.truncate(folder / "a", 100)


def zero(folder: Path) -> None:
    with (folder / "a").open("r+b") as file:
        file.seek(1000)
        file.write(bytes(50))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated": truncate,
    "zeroed": zero,
    "a file missing": lambda folder: (folder / "b.json").unlink(),
    "a file too many": lambda folder: (folder / "c").touch(),
    "a file empty": lambda folder: (folder / "b.json").write_text(""),
    "a folder inside": lambda folder: (folder / "c").mkdir(),
    "renamed": lambda folder: (folder / "a").rename(folder / "c"),
    "empty": lambda folder: [path.unlink() for path in folder.iterdir()],
    "a file instead": lambda folder: (shutil.rmtree(folder), folder.write_text("{}")),
    "no digest": lambda folder: folder.with_name("entry.xxh3").unlink(),
    "digest damaged": lambda folder: folder.with_name("entry.xxh3").write_bytes(b"\xff"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_made_again_and_said(
    damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = cache_dir("kind") / "entry"
    cached(place, make)
    whole = content(place)
    DAMAGES[damage](place)
    assert content(cached(place, make)) == whole
    assert "entry is damaged; recreating it" in " ".join(capsys.readouterr().err.split())
    cached(place, lambda _: pytest.fail("it is whole"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**14 - 1), st.integers(1, 255))
def test_any_byte_that_changes_is_noticed(place: int, change: int) -> None:
    folder = cached(cache_dir("kind") / "entry", make)
    whole = content(folder)
    data = bytearray(whole["a"])
    data[place] ^= change
    (folder / "a").write_bytes(data)
    assert content(cached(folder, make, QUIET)) == whole


def test_it_is_made_once_for_all_who_ask_at_once() -> None:
    made = []

    def slow(folder: Path) -> None:
        made.append(folder)
        make(folder)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: cached(cache_dir("kind") / "entry", slow), range(8)))
    assert len(made) == 1


def test_a_failure_leaves_nothing_and_the_next_begins_anew() -> None:
    place = cache_dir("kind") / "entry"

    def fail(draft: Path) -> None:
        make(draft)
        raise SegbenchError("no")

    with pytest.raises(SegbenchError, match="no"):
        cached(place, fail)
    assert not list(place.parent.iterdir())
    assert content(cached(place, make))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs two users")
def test_a_second_user_of_the_group_reads_and_builds(own_cache: Path) -> None:
    """The first user damages it too, so that all is imported: the second may not read packages."""
    before = os.umask(0o002)
    try:
        cached(cache_dir("kind") / "entry", make)
        truncate(cache_dir("kind") / "entry")
        cached(cache_dir("kind") / "entry", make, QUIET)
    finally:
        os.umask(before)
    for path in (own_cache, *own_cache.rglob("*")):
        os.chown(path, 0, 12345)
        assert path == own_cache or path.stat().st_mode & 0o060 == 0o060
    own_cache.chmod(0o2775)
    for parent in own_cache.parents:
        if parent.name.startswith(("pytest-", "popen-")):
            parent.chmod(0o755)
    child = os.fork()
    if child == 0:
        os.setgroups([12345])
        os.setuid(54321)
        try:
            cached(cache_dir("kind") / "entry", lambda _: os._exit(2))
            truncate(cache_dir("kind") / "entry")
            cached(cache_dir("kind") / "entry", make, QUIET)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_frames_that_are_damaged_are_decoded_again(tmp_path: Path) -> None:
    frames = labelled_frames(TINY, TINY.locate(write_tiny(tmp_path)), "train")
    whole = cached_split(TINY, frames, SIZE, "key", QUIET)
    images, labels = np.array(whole.images), np.array(whole.labels)
    (place,) = (path for path in cache_dir("frames").iterdir() if path.is_dir())
    np.save(place / "images.npy", images[:, :8])
    (place / "labels.npy").write_bytes(b"")
    again = cached_split(TINY, frames, SIZE, "key", QUIET)
    assert np.array_equal(again.images, images)
    assert np.array_equal(again.labels, labels)


def test_what_was_kept_comes_back_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "timing"
    assert kept(path) == b""
    keep(path, b"measured")
    assert kept(path) == b"measured"
    path.write_bytes(b"Measured")
    assert kept(path) == b""


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_code_is_kept_where_nobody_else_can_write(tmp_path: Path) -> None:
    folder = private_dir("code")
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o770)
    with pytest.raises(SegbenchError, match="others can write to it"):
        private_dir("code")
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(SegbenchError, match="others can write to it"):
        private_dir("code")


def test_what_torch_compiles_is_kept_there_and_not_in_the_common_folder(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for torchs_own in (None, str(Path(gettempdir()) / "torchinductor_me")):
        if torchs_own is None:
            monkeypatch.delenv(KERNELS, raising=False)
        else:
            monkeypatch.setenv(KERNELS, torchs_own)
        keep_kernels_private()
        assert os.environ[KERNELS] == str(own_cache / "inductor")
    monkeypatch.setenv(KERNELS, str(tmp_path / "mine"))
    keep_kernels_private()
    assert os.environ[KERNELS] == str(tmp_path / "mine")
