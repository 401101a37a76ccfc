"""CHECKS: request lines of any origin against the schema, the importer's rules and the limits, before any is paid for.

``RULES`` is the closed table of what is looked for. ``RequestChecker`` checks a set of files in one pass,
``iter_violations`` one file, ``check_request`` one decoded request; ``fix_line`` repairs what has one right answer.
"""

from geminate.stages.checks.checker import CheckOptions, RequestChecker, check_request, iter_violations
from geminate.stages.checks.columns import Place
from geminate.stages.checks.fixing import FixedLine, fix_line
from geminate.stages.checks.lattice import Lattice
from geminate.stages.checks.rules import RULES

__all__ = [
    "RULES",
    "CheckOptions",
    "FixedLine",
    "Lattice",
    "Place",
    "RequestChecker",
    "check_request",
    "fix_line",
    "iter_violations",
]
