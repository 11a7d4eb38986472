"""``make audit``: known vulnerabilities of what is installed, or one sentence on why none is known.

pip-audit calls a package whose advisories it cannot find "skipped" and is content, and without a
network it ends in a traceback. Here the exit code is 1 for a vulnerability and 2 for no audit.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from segbench.text import counted

COMMAND = (
    *(sys.executable, "-m", "pip_audit", "--skip-editable", "--format", "json"),
    *("--progress-spinner", "off"),
)


def audit(command: Sequence[str] = COMMAND) -> tuple[list[str], int]:
    """What there is to say, and the exit code."""
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        why = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        return [f"Nothing was audited: pip-audit did not run ({why})."], 2
    return summary(dependencies)


def summary(dependencies: Sequence[dict[str, Any]]) -> tuple[list[str], int]:
    """The same of pip-audit's ``dependencies``."""
    audited = [each for each in dependencies if "vulns" in each]
    lines = [
        f"{each['name']} {each['version']}: {found['id']}, "
        f"fixed in {', '.join(found['fix_versions']) or 'no version'}"
        for each in audited
        for found in each["vulns"]
    ]
    skipped = [each["name"] for each in dependencies if "vulns" not in each]
    if skipped:
        names = ", ".join(skipped[:5]) + (", ..." if len(skipped) > 5 else "")
        lines.append(
            f"No advisories can be reached for {counted(len(skipped), 'package')}: {names}."
        )
    if not audited:
        return [*lines, "Nothing was audited."], 2
    vulnerable = sum(bool(each["vulns"]) for each in audited)
    lines.append(f"{counted(len(audited), 'package')} audited, {vulnerable} with vulnerabilities.")
    return lines, 1 if vulnerable else 0


if __name__ == "__main__":
    said, code = audit()
    print(*said, sep="\n")
    sys.exit(code)
