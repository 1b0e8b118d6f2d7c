"""What one does with an experiment beside running it: look how far it is, train single cells again, check and explain.

`cells` knows every cell's state and picks cells; the other modules are a command each. None of them is needed to run
the workflow, and where they make results it is by Snakemake (`snakemake`), whose command they print.
"""

# What options pick cells by, beside an expression; `cells.STATES_OF` says which states these are.
KINDS = {
    "failed": "whose job failed or was killed",
    "diverged": "that are done, with a diverged run at the chosen learning rate",
    "missing": "that have no record yet and are not being trained",
    "outdated": "from code, data, a torch or a device that have changed since",
    "damaged": "whose record cannot be read (without --select also all other files with a wrong checksum)",
}


class OperationError(Exception):
    """What was asked for cannot be done; the message says why, and how it can."""
