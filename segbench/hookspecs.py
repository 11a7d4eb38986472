"""The seven hooks through which segbench finds plugins, one per kind of item.

A plugin is a module with one or more of these functions, each marked ``@hookimpl``, and named by
an entry point of the group ``segbench``. ``docs/plugins.md`` has a whole example of every kind.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from segbench.types import (
        Backbone,
        Command,
        Dataset,
        DescribedDataset,
        ModelFormat,
        Network,
        Runtime,
        Tracker,
    )

hookspec = pluggy.HookspecMarker("segbench")
hookimpl = pluggy.HookimplMarker("segbench")


@hookspec
def segbench_backbones() -> Iterable["Backbone"]:
    """Yield networks that turn an image into features at strides 8, 16 and 32, or also 4.

    Called once, when the registry is loaded, so import torch inside ``build`` and not here::

        @hookimpl
        def segbench_backbones():
            yield Backbone(name="tiny", summary="Three convolutions", build=build)
    """
    raise AssertionError("a specification is never called")


@hookspec
def segbench_commands() -> Iterable["Command"]:
    """Yield commands of the ``segbench`` program.

    Called once, when the registry is loaded, so import the click command inside ``load``::

        @hookimpl
        def segbench_commands():
            yield Command(name="frames", summary="List frames.", load=load)
    """
    raise AssertionError("a specification is never called")


@hookspec
def segbench_datasets() -> Iterable["Dataset | DescribedDataset"]:
    """Yield datasets to train and score on.

    Called once, when the registry is loaded; nothing is read from disk before ``locate``::

        @hookimpl
        def segbench_datasets():
            yield Dataset(name="mine", summary="My street", classes=("road", "car"), ...)
    """
    raise AssertionError("a specification is never called")


@hookspec
def segbench_model_formats() -> Iterable["ModelFormat"]:
    """Yield formats of model files that ``--model`` takes.

    Called once, when the registry is loaded, so import what reads them inside ``load``::

        @hookimpl
        def segbench_model_formats():
            yield ModelFormat("pt2", "torch.export", (".pt2",), load=load, runtime="eager")
    """
    raise AssertionError("a specification is never called")


@hookspec
def segbench_networks() -> Iterable["Network"]:
    """Yield complete networks from images to class logits, without a choice of backbone.

    Called once, when the registry is loaded, so import torch inside ``build`` and not here::

        @hookimpl
        def segbench_networks():
            yield Network(name="tiny", summary="Three convolutions", build=build)
    """
    raise AssertionError("a specification is never called")


@hookspec
def segbench_runtimes() -> Iterable["Runtime"]:
    """Yield engines that run a trained network; the name includes the precision.

    Called once, when the registry is loaded, so import the engine inside ``open``::

        @hookimpl
        def segbench_runtimes():
            yield Runtime(name="eager-bf16", summary="PyTorch in bfloat16", open=open_session)
    """
    raise AssertionError("a specification is never called")


@hookspec
def segbench_trackers() -> Iterable["Tracker"]:
    """Yield experiment trackers that ``segbench run --tracker`` reports to.

    Called once, when the registry is loaded, so import the tracker inside ``start``::

        @hookimpl
        def segbench_trackers():
            yield Tracker(name="lines", summary="JSON lines", start=LinesRun)
    """
    raise AssertionError("a specification is never called")
