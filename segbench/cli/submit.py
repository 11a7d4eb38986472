"""``segbench submit``: a test split's predictions in the form of the benchmark's server."""

from pathlib import Path
from typing import Any

import click

from segbench.cli import options
from segbench.cli.terminal import echo
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.text import counted
from segbench.types import Submittable


@click.command()
@click.option("--checkpoint", type=click.Path(path_type=Path), required=True)
@click.option("--dataset", "dataset_name", required=True)
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="A new folder or .zip file."
)
@options.data_root
@options.device
@click.pass_obj
def submit(registry: Registry, dataset_name: str, **given: Any) -> None:
    """Predict the test split and write the files to upload."""
    from segbench.jobs.submit import SubmitOptions
    from segbench.jobs.submit import submit as do_submit

    dataset, runtime = registry.dataset(dataset_name), registry.runtime("eager")
    chosen = SubmitOptions(dataset=dataset, runtime=runtime, **given)
    count = do_submit(chosen, registry, Reporter())
    echo(f"{counted(count, 'file')} in {chosen.output}")
    if isinstance(chosen.dataset.benchmark, Submittable):
        echo(chosen.dataset.benchmark.upload)
