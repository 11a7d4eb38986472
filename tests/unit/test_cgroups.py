"""CPU quotas of control groups, in files laid out as Linux has them."""

from pathlib import Path

import pytest

from segbench.device.cpu import cpu_quota


@pytest.mark.parametrize(
    ("groups", "files", "quota"),
    [
        ("0::/\n", {}, None),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000", "a/b/cpu.max": "max 100000"}, 2.0),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000", "a/b/cpu.max": "300000 100000"}, 3.0),
        ("0::/a\n", {"other/cpu.max": "100000 100000"}, None),
        ("0::/outside/of/the/container\n", {"cpu.max": "50000 100000"}, 0.5),
        ("0::/a\n", {"unified/a/cpu.max": "200000 100000"}, 2.0),
        (
            "3:memory:/\n4:cpu,cpuacct:/docker/1f\n0::/\n",
            {
                "cpu,cpuacct/docker/1f/cpu.cfs_quota_us": "250000",
                "cpu,cpuacct/docker/1f/cpu.cfs_period_us": "100000",
                "cpu,cpuacct/docker/cpu.cfs_quota_us": "-1",
                "cpu,cpuacct/docker/cpu.cfs_period_us": "100000",
            },
            2.5,
        ),
        ("4:cpu:/x\n", {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "50000"}, 1.0),
        ("4:cpuset:/x\n", {"cpuset/cpu.cfs_quota_us": "1", "cpuset/cpu.cfs_period_us": "1"}, None),
        ("0::/\n", {"cpu.max": "damaged"}, None),
    ],
)
def test_the_tightest_quota_of_all_groups_counts(
    tmp_path: Path, groups: str, files: dict[str, str], quota: float | None
) -> None:
    own, mount = tmp_path / "groups", tmp_path / "mount"
    own.write_text(groups)
    for name, content in files.items():
        (mount / name).parent.mkdir(parents=True, exist_ok=True)
        (mount / name).write_text(content)
    assert cpu_quota(own, mount) == quota


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path / "absent", tmp_path) is None
