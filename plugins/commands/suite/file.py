"""The file of a suite: TOML whose keys are the options of ``run``, ``evaluate`` and ``latency``.

All errors in it are reported before anything runs.
"""

import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import click

from segbench.errors import SegbenchError, unknown_name
from segbench.files import read_text
from segbench.inference.checkpoint import checkpoint_file
from segbench.inference.sources import NetworkWeights
from segbench.jobs.evaluate import EvaluateOptions
from segbench.jobs.latency_options import LatencyOptions
from segbench.plugins import Registry
from segbench.text import counted

from .jobs.training import Training
from .keys import TOGETHER, expanded, options_of, words_of
from .options import evaluate_options, run_options, timing_options
from .resources import KEYS, Resources
from .subject import Subject

Table = Mapping[str, Any]

OWN = ("results", "page", "reports", "exports")
ENTRIES = ("train", "checkpoint")
OWN_OF_CHECKPOINT = ("network", "backbone", "decoder", "weights")
"""Options of a training that a checkpoint to fine-tune has itself."""
PUBLISHED = ("network", "weights", "dataset")
"""Keys of a [[checkpoint]] published as weights, instead of its path."""


@dataclass(frozen=True)
class Entry:
    """A network, trained or to be trained, and how it is scored and timed.

    The strings distinguish evaluations and latencies. ``resources`` are what each command needs on
    a host, if the suite runs on several.
    """

    label: str
    source: Training | Subject
    evaluations: Sequence[tuple[EvaluateOptions, str]]
    latencies: Sequence[tuple[LatencyOptions, str]]
    resources: Mapping[str, Resources] = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """The contents of a file; ``page``, ``reports`` and ``exports`` are written if given."""

    entries: Sequence[Entry]
    results: Path = Path("results")
    page: Path | None = None
    reports: Path | None = None
    exports: Path | None = None

    def written(self) -> dict[str, Path]:
        """The folders to write to other than ``results``, by key."""
        page = self.page and self.page.parent
        places = {"page": page, "reports": self.reports, "exports": self.exports}
        return {name: place for name, place in places.items() if place is not None}


def read_suite(path: Path, commands: Mapping[str, click.Command], registry: Registry) -> Suite:
    """The suite in a file; ``commands`` are run, evaluate and latency, whose options are keys.

    SegbenchError lists all errors: unknown keys and plugins, wrong values, missing files.
    """
    try:
        tables = tomllib.loads(read_text(path))
    except OSError as error:
        raise SegbenchError(
            f"{path} cannot be read ({error.strerror}); segbench suite {path} --init writes an "
            "example."
        ) from error
    except ValueError as error:
        raise SegbenchError(f"{path} is not TOML: {error}.") from error
    reader = _Reader(commands, registry)
    suite = reader.suite(tables)
    if reader.faults:
        faults = [f"{where}: {fault}" for fault, where in reader.faults.items()]
        raise SegbenchError("\n  ".join([f"{path} has {counted(len(faults), 'error')}:", *faults]))
    return suite


class _Reader:
    def __init__(self, commands: Mapping[str, click.Command], registry: Registry) -> None:
        self.commands, self.registry = commands, registry
        self.options = {name: options_of(name, command) for name, command in commands.items()}
        self.faults: dict[str, str] = {}
        self.layers: dict[str, list[Table]] = {}
        self.results = Path()

    def suite(self, tables: Table) -> Suite:
        """The contents of the tables; complete if there are no faults."""
        known = {key for options in self.options.values() for key in options}
        top = self._table(tables, {*OWN, *KEYS, *self.commands, *ENTRIES, *known}, "top")
        own = {key: self._path(key, top[key]) for key in OWN if key in top}
        self.results = own.get("results", Path("results"))
        shared = {key: value for key, value in top.items() if key not in ENTRIES}
        for name in self.commands:
            default = self._table(top.get(name, {}), {*self.options[name], *KEYS}, f"[{name}]")
            self.layers[name] = [shared, default]
        entries = [
            entry
            for key, read in (("train", self._trained), ("checkpoint", self._there))
            for number, table in enumerate(self._list(top, key), 1)
            for entry in read(table, f"[[{key}]] {number}")
        ]
        labels = [entry.label for entry in entries]
        for label in sorted({label for label in labels if labels.count(label) > 1}):
            self._note(f"Two entries are named {label!r}; give one another name.", "entries")
        trainings = [entry.source for entry in entries if isinstance(entry.source, Training)]
        folders = [each.options.output for each in trainings if each.options.output]
        for folder in sorted({folder for folder in folders if folders.count(folder) > 1}):
            self._note(f"Two trainings write to {folder}; give each an output.", "entries")
        if "page" in own and own["page"].is_dir():
            self._note(f"{own['page']} is a folder; name an HTML file.", "page")
        if not (top.get("train") or top.get("checkpoint")):
            self._note("There are none; add a [[train]] or a [[checkpoint]].", "entries")
        return Suite(entries, **own)

    def _trained(self, table: Table, where: str) -> Iterator[Entry]:
        known = {"name", "evaluate", "latency", *self.options["run"], *KEYS}
        entry = self._table(table, known, where)
        named = [entry.get(key) for key in ("name", "checkpoint", "network", "backbone")]
        name = next((each for each in named if isinstance(each, str)), "")
        for argv, given, swept in self._lines("run", entry, where):
            label = ", ".join(filter(None, (name, swept))) or where
            root = {"data-root": str(given["data_root"])} if "data-root" in entry else {}
            uses = self._uses({**entry, **root}, given["datasets"][0], where)
            with self._noting(where):
                uses[-1]["run"] = self._resources("run", entry)
                yield Entry(
                    label, Training(run_options(argv, given, self.results, self.registry)), *uses
                )

    def _there(self, table: Table, where: str) -> Iterator[Entry]:
        known = {"name", "path", *PUBLISHED, "evaluate", "latency"}
        entry = self._table(table, known, where)
        with self._noting(where):
            subject = self._subject(entry, where)
            named = (entry.get(key) for key in ("name", "path", "network"))
            label = str(next(filter(None, named)))
            yield Entry(label, subject, *self._uses(entry, subject.config["dataset"], where))

    def _subject(self, entry: Table, where: str) -> Subject:
        published = [str(entry[key]) for key in PUBLISHED if key in entry]
        if "path" in entry and not published:
            return Subject.read(checkpoint_file(Path(str(entry["path"]))))
        if "path" in entry:
            raise SegbenchError("Name a path, or network, weights and dataset, but not both.")
        if len(published) < len(PUBLISHED):
            raise SegbenchError(
                "Name a path, of a checkpoint or a run's folder, or else network, weights and "
                "dataset."
            )
        network, weights, dataset = published
        registry = self._at_data_root(entry, where)
        return Subject.published(
            NetworkWeights(registry.network(network), Path(weights), registry.dataset(dataset))
        )

    def _at_data_root(self, entry: Table, where: str) -> Registry:
        """The registry with the datasets that a checkpoint is evaluated on."""
        known = {*self.options["evaluate"], *KEYS}
        own = self._table(entry.get("evaluate", {}), known, f"{where} evaluate")
        layers = (*self.layers["evaluate"], own)
        roots = [layer["data-root"] for layer in layers if "data-root" in layer]
        return self.registry.at(Path(str(roots[-1]))) if roots else self.registry

    def _uses(self, entry: Table, dataset: str, where: str) -> tuple[Any, Any, dict[str, Any]]:
        """How a checkpoint trained on ``dataset`` is scored and timed, and its resources.

        Its data is in the data root of the entry, if that gives one.
        """
        root = {"data-root": entry["data-root"]} if "data-root" in entry else {}
        made: dict[str, list[Any]] = {}
        resources = {}
        for name, read in (("evaluate", evaluate_options), ("latency", timing_options)):
            inside = f"{where} {name}"
            table = self._table(entry.get(name, {}), {*self.options[name], *KEYS}, inside)
            own = {**root, **table}
            made[name] = []
            with self._noting(inside):
                resources[name] = self._resources(name, own)
            for argv, given, swept in self._lines(name, own, inside, dataset):
                with self._noting(inside):
                    options = read(argv, given, self.results, self.registry)
                    made[name].append((options, swept))
        return made["evaluate"], made["latency"], resources

    def _resources(self, name: str, own: Table) -> Resources:
        """The resources of a command, each key from the innermost table that has it."""
        return Resources.read({k: layer[k] for layer in (*self.layers[name], own) for k in layer})

    def _lines(
        self, name: str, own: Table, where: str, dataset: str | None = None
    ) -> Iterator[tuple[tuple[str, ...], dict[str, Any], str]]:
        """For each combination of values in lists: its command line, the parsed options, and the
        values that distinguish it.
        """
        options = self.options[name]
        shared, default = self.layers[name]
        trained_on = {"dataset": dataset} if dataset and "dataset" in options else {}
        asked: dict[str, Any] = {}
        for layer in (shared, trained_on, default, own):
            if "checkpoint" in layer:
                asked = {k: v for k, v in asked.items() if k not in OWN_OF_CHECKPOINT}
            asked |= {key: value for key, value in layer.items() if key in options}
        lists = {k: v for k, v in asked.items() if isinstance(v, list) and k not in TOGETHER[name]}
        for values in product(*lists.values()):
            chosen = asked | dict(zip(lists, values, strict=True))
            many = [key for key in lists if len(lists[key]) > 1]
            said = [v if isinstance(v := chosen[key], str) else f"{key} {v}" for key in many]
            with self._noting(where):
                words = [
                    word for key in chosen for word in words_of(options[key], key, chosen[key])
                ]
                context = self.commands[name].make_context(name, list(words))
                yield ("segbench", name, *words), dict(context.params), ", ".join(said)

    def _path(self, key: str, value: Any) -> Path:
        if not isinstance(value, str):
            self._note(f"{value!r} is not a path in quotes.", key)
        return Path(str(value))

    def _list(self, top: Table, key: str) -> Sequence[Any]:
        entries = top.get(key, [])
        if isinstance(entries, list):
            return entries
        self._note(f"It must be a list of tables; write [[{key}]].", key)
        return []

    def _table(self, table: Any, known: Collection[str], where: str) -> Table:
        """The known keys of a table with hyphens, and environment variables in their values."""
        if not isinstance(table, dict):
            self._note(f"{table!r} is not a table of options.", where)
            return {}
        made = {}
        for key, value in table.items():
            with self._noting(where):
                name = key.replace("_", "-")
                if name not in known:
                    raise SegbenchError(unknown_name("key", key, known))
                made[name] = expanded(value, key)
        return made

    @contextmanager
    def _noting(self, where: str) -> Iterator[None]:
        try:
            yield
        except click.ClickException as error:
            self._note(error.format_message(), where)

    def _note(self, fault: str, where: str) -> None:
        """Note each fault once, where it was first found."""
        self.faults.setdefault(fault, where)
