"""A record's provenance: detailed enough to repeat it, without personal data.

Records never contain host names, user names or folders.
"""

import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from segbench.device import cpu_extensions, output_of
from segbench.device.cpu import cpu_model, usable_cores
from segbench.device.microarchitecture import microarchitecture
from segbench.plugins import Item, Registry, installed_version, required_versions
from segbench.progress import Reporter
from segbench.records.record import Record
from segbench.types import Backbone, Network, Runtime, Session

SOURCE = Path(__file__).parents[2]
TUNING = re.compile(
    "(OMP|GOMP|KMP|MKL|OPENBLAS|ONEDNN|DNNL|MALLOC|THP|TORCH|PYTORCH|CUDA|ORT)_.+"
    "|NVIDIA_TF32_OVERRIDE|LD_PRELOAD|GLIBC_TUNABLES"
)
"""Environment variables that change the speed or results of libraries."""
FRACTION = re.compile(r"\d+/\d+")
ARITHMETIC = ("arithmetic_error", "arithmetic_agreement")
SESSION_DETAILS = ("quantization", "int8_layers", "float_layers", "engine_was_cached")


def provenance(
    started: datetime,
    argv: Sequence[str],
    registry: Registry,
    plugins: Sequence[Item],
    engine: str,
    dataset_fingerprint: str | None = None,
) -> dict[str, Any]:
    """The record's ``provenance``, collected when the work is done.

    ``started`` has a time zone; ``plugins`` are the items used, and the distributions they require
    are recorded. Long jobs call ``source_state`` at the start, so that a
    later commit is not recorded.
    """
    commit, dirty = source_state()
    required = {name for item in plugins for name in required_versions(item)}
    return {
        "started_at": started.astimezone(UTC).isoformat(timespec="seconds"),
        "duration_s": round((datetime.now(UTC) - started).total_seconds(), 3),
        "argv": [without_folders(argument, [item.name for item in plugins]) for argument in argv],
        "commit": commit,
        "dirty": dirty,
        "os": platform.platform(),
        "python": platform.python_version(),
        **_cpu(),
        **_gpu(),
        "engine": engine,
        "title": next(
            (i.title or i.name for i in plugins if isinstance(i, Backbone | Network)), None
        ),
        "arithmetic": next((item.precision for item in plugins if isinstance(item, Runtime)), None),
        "environment": tuning_variables(os.environ, required),
        "versions": {name: installed_version(name) for name in sorted({"segbench", *required})},
        "plugins": {item.name: " ".join(registry.origin(item)) for item in plugins},
        "dataset_fingerprint": dataset_fingerprint,
    }


def devices_here() -> set[str]:
    """This machine's CPU and CUDA GPUs, named as ``Record.device_name`` names them."""
    devices: list[tuple[str, dict[str, Any]]] = [("cpu", _cpu())]
    query = "--query-gpu=name,driver_version,power.limit"
    for line in (
        output_of("nvidia-smi", query, "--format=csv,noheader,nounits") or ""
    ).splitlines():
        match line.rsplit(", ", 2):
            case [name, driver, watts]:
                gpu = {"gpu": name, "driver": driver, "power_limit_w": _watts(watts)}
                devices.append(("cuda", gpu))
    return {Record("latency", {"device": d}, {}, origin).device_name for d, origin in devices}


def session_details(session: Session, names: Sequence[str] = SESSION_DETAILS) -> dict[str, Any]:
    """The session's details under ``names``; by default how its network was made."""
    return {name: session.details[name] for name in names if name in session.details}


@cache
def source_state(source: Path = SOURCE) -> tuple[str | None, bool | None]:
    """The Git commit of the checkout at ``source``, and whether tracked files differ from it.

    Files under ``results`` do not count. (None, None) if ``source`` is an installed package rather
    than a checkout, or, with a warning, if Git considers it unsafe. Cached per process.
    """
    module = Path(__file__).relative_to(SOURCE)
    git = ("git", "--no-optional-locks", "-C", str(source))
    if output_of(*git, "ls-files", "--error-unmatch", str(module)) is None:
        if (source / ".git").exists() and _called_unsafe(git):
            Reporter().say(
                "Warning: records will lack the commit, since Git considers this checkout unsafe "
                "(another user owns it); to trust it: "
                f"git config --global --add safe.directory {shlex.quote(str(source))}"
            )
        return None, None
    commit = output_of(*git, "rev-parse", "--verify", "HEAD")
    changes = output_of(
        *git, "status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)results"
    )
    return commit, None if changes is None else bool(changes)


def _called_unsafe(git: Sequence[str]) -> bool:
    environment = os.environ | {"LC_ALL": "C"}
    try:
        asked = subprocess.run(
            [*git, "rev-parse"], capture_output=True, text=True, env=environment, check=False
        )
    except OSError:
        return False
    return "safe.directory" in asked.stderr


def without_folders(argument: str, names: Collection[str] = ()) -> str:
    """A command-line argument with paths reduced to their last component.

    ``names`` and fractions are not paths.
    """
    option, equals, value = argument.partition("=")
    if not (equals and option.startswith("-")):
        option, equals, value = "", "", argument
    if value in names or FRACTION.fullmatch(value):
        return argument
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where there is none
    if value.rstrip("/\\") == home:  # its last component is the user's name
        return option + equals + "~"
    return option + equals + re.split(r"[/\\]", value.rstrip("/\\"))[-1]


def tuning_variables(
    environment: Mapping[str, str], packages: Iterable[str] = ()
) -> dict[str, str]:
    """Set environment variables that tune libraries; paths without folders.

    Those in ``TUNING``, and those that start with the name of one of ``packages``.
    """
    prefixes = tuple(re.sub(r"\W", "_", package).upper() + "_" for package in packages)
    return {
        name: os.pathsep.join(map(without_folders, value.split(os.pathsep)))
        for name, value in sorted(environment.items())
        if TUNING.fullmatch(name) or f"{name}_".startswith(prefixes)
    }


def _cpu() -> dict[str, Any]:
    return {
        "cpu": cpu_model(),
        "microarchitecture": microarchitecture(),
        "extensions": list(cpu_extensions()),
        "cores": usable_cores(),
    }


def _watts(told: str) -> float | None:
    return float(told) if re.fullmatch(r"\d+(\.\d+)?", told) else None


def _gpu() -> dict[str, Any]:
    """The CUDA device, if this process has used torch, which is not imported for this."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {"gpu": None, "driver": None, "power_limit_w": None, "cuda": None}
    told = output_of(
        "nvidia-smi",
        f"--id=GPU-{torch.cuda.get_device_properties().uuid}",
        "--query-gpu=driver_version,power.limit",
        "--format=csv,noheader,nounits",
    )
    driver, _, watts = (told or "").partition(", ")
    return {
        "gpu": torch.cuda.get_device_name(),
        "driver": driver or None,
        "power_limit_w": _watts(watts),
        "cuda": torch.version.cuda,
    }
