"""Printing two compared leaderboards: a table for each score and each kind of query."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from segbench.analysis.columns import query, text
from segbench.analysis.difference import Difference
from segbench.analysis.fields import Row
from segbench.cli.terminal import Console, plain_table
from segbench.text import counted, printable

from .leaderboards import (
    Leaderboard,
    Matched,
    Pair,
    compare_pairs,
    match_latencies,
    match_scores,
)
from .print_records import (
    MORE,
    NO_INTERVAL,
    cells,
    print_settings,
    ratio_cells,
    values,
    verdict,
)
from .records import Latencies, Scores, Setting

LONGEST = 40
"""Maximum length of a setting's value in a line about one pair."""


def print_leaderboards(a: Leaderboard, b: Leaderboard) -> None:
    """Print scores and latencies of the rows in both A and B, then the settings that differ."""
    console = Console()
    scores, latencies = match_scores(a.rows, b.rows), match_latencies(a.rows, b.rows)
    scored = compare_pairs(scores.pairs, a, b, "record")
    timed = compare_pairs(latencies.pairs, a, b, "latency_record")
    _print_pairs(console, scored, _scored, _score_lines, ("A", "B", "B - A"))
    _print_classes(console, scored)
    _print_notes(console, scored)
    _print_alone(console, scores, _scored)
    _print_pairs(console, timed, _timed, _latency_lines, ("A, ms", "B, ms", "B / A"))
    _print_notes(console, timed)
    _print_alone(console, latencies, _timed)
    if not scored and not timed:
        console.print("A and B have no row in common.")
    elif a.records and b.records:
        _print_settings(console, scored, timed)
    else:
        console.say("Files have no samples: for intervals, compare two folders.")


def _print_pairs(
    console: Console,
    pairs: Sequence[Pair],
    title: Callable[[Row], str],
    lines: Callable[[Pair], list[tuple[str, ...]]],
    headers: tuple[str, ...],
) -> None:
    """A table for each title, with columns for intervals and verdicts if there are records."""
    for name in dict.fromkeys(title(pair.a) for pair in pairs):
        shown = [pair for pair in pairs if title(pair.a) == name]
        detailed = any(pair.found for pair in shown)
        table = plain_table("network", *headers, *(["95% interval"] if detailed else []))
        if detailed:
            table.add_column("", max_width=len(NO_INTERVAL))
        for pair in shown:
            for line in lines(pair):
                table.add_row(*line[: len(table.columns)])
        console.say(printable(name), "bold")
        console.print(table)
        console.print()


def _score_lines(pair: Pair) -> list[tuple[str, ...]]:
    """The benchmark's measure, and mean IoU if different; only mean IoU has an interval."""
    network = printable(_network(pair.a))
    if not isinstance(pair.found, Scores):
        row = Difference("", pair.a["score"], pair.b["score"])
        return [(network, *cells(row), verdict(row))]
    rows = {network if pair.a["score_name"] == "miou" else f"{network}: mIoU": pair.found.miou}
    if pair.found.headline is not None:
        rows = {network: pair.found.headline} | rows
    return [(name, *cells(row), verdict(row)) for name, row in rows.items()]


def _latency_lines(pair: Pair) -> list[tuple[str, ...]]:
    network = printable(_network(pair.a))
    if isinstance(pair.found, Latencies):
        return [(network, *ratio_cells(pair.found), verdict(pair.found))]
    a, b = pair.a["p50_ms"], pair.b["p50_ms"]
    return [(network, f"{a:.2f}", f"{b:.2f}", f"{b / a:.3f}" if a else "-", "-", NO_INTERVAL)]


def _print_classes(console: Console, pairs: Sequence[Pair]) -> None:
    """The classes that differ by more than noise, for scores that do."""
    for pair in pairs:
        if isinstance(pair.found, Scores) and pair.found.miou.within_noise is False:
            differing = [row for row in pair.found.classes if row.within_noise is False]
            said = ", ".join(f"{row.name} {cells(row)[2]}" for row in differing)
            console.say(
                printable(f"Classes, {MORE}, of {_network(pair.a)}: {said or 'none by itself'}.")
            )
            console.print()


def _print_notes(console: Console, pairs: Sequence[Pair]) -> None:
    """Notes on the pairs; once if a note applies to all."""
    networks = defaultdict(list)
    for pair in pairs:
        for note in pair.found.notes if pair.found else filter(None, [pair.problem]):
            networks[note].append(_network(pair.a))
    for note, named in networks.items():
        said = note if len(named) == len(pairs) else f"{'; '.join(named)}: {note}"
        console.say(printable(said), "yellow")
    if networks:
        console.print()


def _print_alone(console: Console, found: Matched, title: Callable[[Row], str]) -> None:
    for side, rows in (("A", found.only_a), ("B", found.only_b)):
        for row in rows:
            console.say(printable(f"Only in {side}: {_network(row)}; {title(row)}"))
        if rows:
            console.print()


def _print_settings(console: Console, scored: Sequence[Pair], timed: Sequence[Pair]) -> None:
    """A table of differences common to all pairs, and a line for each other one."""
    pairs = (*scored, *timed)
    common = [one for one in pairs[0].settings if all(one in pair.settings for pair in pairs)]
    if common or not any(pair.settings for pair in pairs):
        print_settings(console, "settings of all pairs" if common else "settings", common)
    for kind, of_kind in (("Scores", scored), ("Latencies", timed)):
        networks = defaultdict(list)
        for pair in of_kind:
            own = [_in_short(one) for one in pair.settings if one not in common]
            if own:
                networks["; ".join(own)].append(_network(pair.a))
        for said, named in networks.items():
            console.print()
            console.say(printable(f"{kind} of {'; '.join(named)} differ in {said}."))


def _in_short(setting: Setting) -> str:
    """The name, and the values if they are short."""
    a, b = values(setting)
    return setting.name + (f" ({a} -> {b})" if max(len(a), len(b)) <= LONGEST else "")


def _scored(row: Row) -> str:
    scale = row["label_scale"] or 1
    reduced = f"at label scale {scale}" if scale > 1 else ""
    limit = text("limit", "limit {}")(row)
    words = (row["score_name"], "of", row["dataset"], row["split"], reduced, limit)
    return " ".join(filter(None, words))


def _timed(row: Row) -> str:
    return ", ".join(filter(None, (f"p50 of {query(row)}", text("device", "on {}")(row))))


def _network(row: Row) -> str:
    """What identifies a row under its title."""
    parts = (
        f"{row['network']} {row['runtime']} {row['height']}x{row['width']}",
        text("recipe", "recipe {}")(row) if row["recipe"] != "modern" else "",
        text("trained_on", "trained on {}")(row),
        text("train_splits", "trained on {}")(row) if row["train_splits"] != "train" else "",
        text("crop", "crop {}")(row),
        row["epochs"] and counted(int(row["epochs"]), "epoch"),
        text("seed", "seed {}")(row),
        text("keep_float", "{} in float")(row),
    )
    return ", ".join(filter(None, parts))
