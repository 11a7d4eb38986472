"""Options that tests of a command share, since an option may not be given twice."""

from collections.abc import Iterable, Mapping


def unless_given(usual: Mapping[str, object], given: Iterable[object]) -> list[str]:
    """The usual options with their values, but for those that are given."""
    taken = set(map(str, given))
    return [str(word) for option in usual.items() if option[0] not in taken for word in option]
