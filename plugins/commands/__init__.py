"""Commands built on segbench's API, each in a module or folder."""
