"""Running a suite: done jobs are skipped, and failures are rows like any other."""

import gc
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

from segbench.errors import InterruptedRun, SegbenchError, kept, sentence

from .context import Context
from .file import Entry, Suite
from .jobs.evaluation import Evaluation
from .jobs.timing import Timing
from .jobs.training import Training
from .jobs.writing import Writing, exporting, reporting
from .subject import Subject

Job = Training | Evaluation | Timing | Writing
EXISTS, MISSING, DONE, FAILED = "exists", "missing", "done", "failed"


@dataclass(frozen=True)
class Row:
    """The outcome of a job: ``state`` is "exists", "missing", "done" or "failed".

    ``detail`` is its figure, file or error, or a latency's missing runtimes; ``seconds`` is the
    expected time of a missing job.
    """

    entry: str
    job: str
    state: str
    detail: str = ""
    seconds: float | None = None


def work(suite: Suite, context: Context, rehearsal: bool = False) -> Iterator[Row]:
    """Run the jobs in sequence, a row for each; in a ``rehearsal`` only look for them.

    Raises InterruptedRun or KeyboardInterrupt if the user stops it.
    """
    for entry in suite.entries:
        jobs = _jobs(suite, entry, context)
        try:
            for job in jobs:
                row = _row(entry.label, job, context, rehearsal)
                yield row
                if row.state == FAILED and isinstance(job, Training):
                    break
        except SegbenchError as error:
            if isinstance(error, InterruptedRun):
                raise
            yield Row(entry.label, "checkpoint", FAILED, error.message)


def _jobs(suite: Suite, entry: Entry, context: Context) -> Iterator[Job]:
    """The jobs of an entry; those after a training are created when it is done."""
    subject = entry.source
    if isinstance(subject, Training):
        yield subject
        subject = subject.subject(context)
    yield from following(suite, entry, subject, context)


def following(suite: Suite, entry: Entry, subject: Subject, context: Context) -> Iterator[Job]:
    """The jobs of a checkpoint; each is created when those before it are done."""
    evaluations = [Evaluation(options, subject, swept) for options, swept in entry.evaluations]
    yield from evaluations
    for evaluation in evaluations:
        if suite.exports is not None and evaluation.options.runtime.export is not None:
            yield exporting(evaluation, entry.label, suite.exports, context)
    for options, swept in entry.latencies:
        yield Timing(options, subject, swept)
    if suite.reports is not None:
        yield reporting(evaluations[0], suite.reports, context)


def _row(entry: str, job: Job, context: Context, rehearsal: bool) -> Row:
    """Run a job if not done; an error goes to its row, an interrupt stops the suite."""
    known = len(context.records)
    try:
        found = job.found(context)
        # Only the training can tell whether a record is of the same data.
        if found is not None and (rehearsal or not isinstance(job, Training)):
            return Row(entry, job.name, EXISTS, found)
        if rehearsal:
            what = ", ".join(job.missing(context)) if isinstance(job, Timing) else ""
            return Row(entry, job.name, MISSING, what, job.seconds(context))
        context.reporter.say(f"{entry}: {job.name}")
        detail = job.do(context)
    except InterruptedRun:
        raise
    except Exception as error:
        if not isinstance(error, SegbenchError):
            context.reporter.say(traceback.format_exc())
        return Row(entry, job.name, FAILED, sentence(kept(error)))
    finally:
        if not rehearsal:
            gc.collect()  # free an engine's memory for the next one
    skipped = isinstance(job, Training) and len(context.records) == known
    return Row(entry, job.name, EXISTS if skipped else DONE, detail)
