"""The commands' work: each job combines the harness's parts and writes a record or files."""
