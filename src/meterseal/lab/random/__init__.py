"""Randomness: the fifteen tests of GM/T 0005-2021, bad generators, and attacks on bad nonces."""

from meterseal.lab.random.judge import Report, Row
from meterseal.lab.random.measure import Source, measure
from meterseal.lab.random.nonces import Attempt, attack_all
from meterseal.lab.random.sources import of_command, of_file
from meterseal.lab.random.suite import LENGTHS
from meterseal.lab.random.trials import Trial, by_name, trials

__all__ = [
    "LENGTHS",
    "Attempt",
    "Report",
    "Row",
    "Source",
    "Trial",
    "attack_all",
    "by_name",
    "measure",
    "of_command",
    "of_file",
    "trials",
]
