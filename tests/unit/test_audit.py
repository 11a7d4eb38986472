"""An audit says what is vulnerable, and what could not be audited."""

import sys

from tools.audit import audit, summary

SOUND = {"name": "a", "version": "1", "vulns": []}
VULNERABLE = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI"}


def test_vulnerabilities_are_listed() -> None:
    assert summary([SOUND, VULNERABLE]) == (
        ["b 2: CVE-1, fixed in 3", "2 packages audited, 1 with vulnerabilities."],
        1,
    )


def test_what_has_no_advisories_is_not_called_sound() -> None:
    said = "No advisories can be reached for 1 package: c."
    assert summary([SOUND, SKIPPED]) == ([said, "1 package audited, 0 with vulnerabilities."], 0)
    assert summary([SKIPPED]) == ([said, "Nothing was audited."], 2)


def test_without_a_network_it_is_a_sentence() -> None:
    program = "raise ConnectionError('no network')"
    said, code = audit([sys.executable, "-c", program])
    assert said == ["Nothing was audited: pip-audit did not run (ConnectionError: no network)."]
    assert code == 2
