"""Commands that stand on segbench's API, in a module or a folder each."""
