"""What the commands do: each job joins the parts of the harness and ends in a record or files."""
