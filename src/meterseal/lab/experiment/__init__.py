"""The experiment of the design, repeated: run, page, data."""

from meterseal.lab.experiment.report import Results, run, write

__all__ = ["Results", "run", "write"]
