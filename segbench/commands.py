"""The commands of segbench itself, by name: what ``segbench --help`` says of each.

Each lies in ``segbench.cli``, which need not be imported to list them. All others are plugins.
"""

CORE_COMMANDS = {
    "data": "Check datasets.",
    "evaluate": "Score a trained network on a labelled split and write a record.",
    "export": "Write a trained network for an engine: RGB in 0..255 goes in, normalisation is "
    "inside.",
    "latency": "Measure the latency of networks on runtimes in turns, and write a record for each.",
    "plugins": "List what the installed plugins offer, and how to fix what is unusable.",
    "recipes": "Show what each recipe sets for each dataset.",
    "run": "Train a network, score it, write overlays and a record; once for each combination.",
    "score": "Score a folder of prediction PNGs, from any system, as the benchmark itself does.",
}
