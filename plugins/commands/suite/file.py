"""The file of a suite: TOML whose keys are the options of ``run``, ``evaluate`` and ``latency``.

All errors in it are reported before anything runs.
"""

import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from itertools import product
from pathlib import Path
from typing import Any

import click

from segbench.cli.sources import OF_MODEL, check_alone
from segbench.data.layouts import known_split
from segbench.errors import SegbenchError, unknown_name
from segbench.files import read_text
from segbench.inference.checkpoint import checkpoint_file, checkpoint_network
from segbench.inference.downloads import check_weights
from segbench.inference.networks import chosen_network
from segbench.inference.sources import NetworkWeights
from segbench.jobs.evaluate import EvaluateOptions
from segbench.jobs.latency_options import LatencyOptions, latency_options
from segbench.jobs.plan import RunOptions, check_splits, choose_recipe, default_weights
from segbench.jobs.runtimes import check_keep_float, named_runtimes, with_fp16
from segbench.latency.checks import REFERENCE
from segbench.plugins import Registry
from segbench.text import counted
from segbench.types import Network, Recipe

from .jobs import Training
from .resources import KEYS, Resources
from .subject import Subject

Table = Mapping[str, Any]

OWN = ("results", "page", "reports", "exports")
ENTRIES = ("train", "checkpoint")
MODEL = {
    *("model", "mean", "std", "scale", "channels", "layout", "class-order", "model-output"),
}
LEFT_OUT = {
    "run": {"results", "seeds", "resume", "force"},
    "evaluate": {"results", "checkpoint", "network", "weights", *MODEL},
    "latency": {
        *("results", "checkpoint", "network", "backbone", "decoder", "weights", "dataset"),
        *("isolate", *MODEL),
    },
}
"""Options that the suite sets itself."""
TOGETHER = {
    "run": ("train-splits", "tracker"),
    "evaluate": ("keep-float",),
    "latency": ("runtime", "keep-float"),
}
"""Options whose list is a single value; for others a list means one job per value."""
OWN_OF_CHECKPOINT = ("network", "backbone", "decoder", "weights")
"""Options of a training that a checkpoint to fine-tune has itself."""
PUBLISHED = ("network", "weights", "dataset")
"""Keys of a [[checkpoint]] published as weights, instead of its path."""
RECIPE = {each.name for each in fields(Recipe)}
VARIABLE = re.compile(r"\$(\w+|\{\w+\})")


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
        self.options = {name: _options(name, command) for name, command in commands.items()}
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
                yield Entry(label, Training(self._run_options(argv, given)), *uses)

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
        for name, read in (("evaluate", self._evaluation), ("latency", self._latency)):
            inside = f"{where} {name}"
            table = self._table(entry.get(name, {}), {*self.options[name], *KEYS}, inside)
            own = {**root, **table}
            made[name] = []
            with self._noting(inside):
                resources[name] = self._resources(name, own)
            for argv, given, swept in self._lines(name, own, inside, dataset):
                with self._noting(inside):
                    made[name].append((read(argv, given), swept))
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
                words = [word for key in chosen for word in _words(options[key], key, chosen[key])]
                context = self.commands[name].make_context(name, list(words))
                yield ("segbench", name, *words), dict(context.params), ", ".join(said)

    def _run_options(self, argv: Sequence[str], given: dict[str, Any]) -> RunOptions:
        (dataset,) = map(self.registry.at(given["data_root"]).dataset, given.pop("datasets"))
        network, weights = self._start(given)
        changes = {key: given.pop(key) for key in RECIPE & given.keys()}
        recipe = choose_recipe(
            network, dataset, given.pop("recipe"), changes, given.pop("early_stop")
        )
        check_splits(dataset, given["train_splits"], recipe)
        dataset.locate(given["data_root"])
        given.pop("seeds")
        for name in given["trackers"]:
            self.registry.tracker(name)
        given |= {"weights": weights, "results": self.results, "resume": True, "argv": argv}
        return RunOptions(network, dataset, recipe, **given)

    def _start(self, given: dict[str, Any]) -> tuple[Network, str]:
        """The network of a training and its initial weights."""
        whole, backbone = (next(iter(given.pop(k)), None) for k in ("networks", "backbones"))
        checkpoint, decoder, weights = (given.pop(k) for k in ("checkpoint", "decoder", "weights"))
        given["fine_tune"] = checkpoint is not None
        if checkpoint is not None:
            check_alone(whole, backbone, decoder, weights)
            return checkpoint_network(checkpoint, self.registry), str(checkpoint_file(checkpoint))
        network = chosen_network(self.registry, whole, backbone, decoder)
        weights = weights or default_weights(network)
        check_weights(weights, network.weights)
        return network, weights

    def _evaluation(self, argv: Sequence[str], given: dict[str, Any]) -> EvaluateOptions:
        for unused in ("network", "weights", "model", *OF_MODEL):
            given.pop(unused)
        dataset = self.registry.at(given["data_root"]).dataset(given.pop("dataset"))
        runtime = self.registry.runtime(given.pop("runtime") or REFERENCE)
        dataset.locate(given["data_root"])
        if given["split"] is not None:
            known_split(given["split"], dataset.splits)
        if not runtime.calibrates:
            given |= {"keep_float": None, "calibration_frames": None}
        given |= {"checkpoint": Path(), "results": self.results, "argv": argv}
        return EvaluateOptions(dataset=dataset, runtime=runtime, **given)

    def _latency(self, argv: Sequence[str], given: dict[str, Any]) -> LatencyOptions:
        runtimes = given.pop("runtimes") or (REFERENCE,)
        names = named_runtimes(runtimes, given["device"], self.registry)
        names = with_fp16(names, given["device"], self.registry)
        check_keep_float(names, given["keep_float"], self.registry)
        for unused in ("isolate", "model", *OF_MODEL):
            given.pop(unused)
        if len(given["sizes"]) > 1 or len(given["batch_sizes"]) > 1:
            raise SegbenchError(
                'Write sizes as a list, size = ["256x512", "512x1024"], for a job each.'
            )
        sizes = given["sizes"] or (None,)
        return latency_options(
            names, **given | {"sizes": sizes, "results": self.results, "argv": argv}
        )

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
                made[name] = _expanded(value, key)
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


def _options(name: str, command: click.Command) -> dict[str, click.Option]:
    """The options of a command by key: ``batch-size`` is ``--batch-size``."""
    options = [each for each in command.params if isinstance(each, click.Option)]
    keys = {max(each.opts, key=len).removeprefix("--"): each for each in options}
    return {key: option for key, option in keys.items() if key not in LEFT_OUT[name]}


def _words(option: click.Option, key: str, value: Any) -> Sequence[str]:
    """The option with its value as on a command line."""
    values = value if isinstance(value, list) else [value]
    kinds = bool if option.is_flag else str | int | float
    if not all(isinstance(v, kinds) and isinstance(v, bool) == option.is_flag for v in values):
        wanted = "true or false" if option.is_flag else "text or a number"
        raise SegbenchError(f"{key} is {value!r}; give it {wanted}.")
    if option.is_flag:
        return option.opts[:1] if value else option.secondary_opts[:1]
    return [word for each in values for word in (f"--{key}", str(each))]


def _expanded(value: Any, key: str) -> Any:
    if value == []:
        raise SegbenchError(f"{key} is an empty list; leave it out, or give it a value.")
    if isinstance(value, list):
        return [_expanded(each, key) for each in value]
    text = os.path.expandvars(value) if isinstance(value, str) else value
    if isinstance(text, str) and (left := VARIABLE.search(text)):
        raise SegbenchError(f"{key} names {left[0]}, which is not set in the environment.")
    return text
