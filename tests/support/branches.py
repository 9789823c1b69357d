"""How many of its branches each package takes in the tests, and whether each takes enough.

    python -m tests.support.branches build/coverage/report.json [--floor 90]

Reads the report that pytest-cov writes (`make test COVERAGE=1`). Every package is held against the floor by itself, and by its
branches alone: the figure that coverage.py prints mixes them with lines, of which there are five times as many. A branch counts
as taken if a process saw it that ended by itself; what a killed one saw is lost, and execution environments are not
observed, because they see nothing of this process's environment. So the figure is a lower bound.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT: Final = Path(__file__).resolve().parents[2]
LAYERS: Final = ("layers/core/python/", "layers/genre/python/")


@dataclass(frozen=True)
class Count:
    """How many branches and lines there are, and how many of them the tests take."""

    branches: int = 0
    branches_taken: int = 0
    lines: int = 0
    lines_taken: int = 0

    def plus(self, summary: Mapping[str, int]) -> Count:
        """Add a file's, as the report counts them."""
        return Count(
            self.branches + summary["num_branches"],
            self.branches_taken + summary["covered_branches"],
            self.lines + summary["num_statements"],
            self.lines_taken + summary["covered_lines"],
        )


def share(taken: int, of: int) -> float:
    """Give a share in percent; nothing of nothing is all of it."""
    return 100 * taken / of if of else 100.0


def package_of(path: str) -> str:
    """Name the package that a file of the repository belongs to."""
    for layer in LAYERS:
        path = path.removeprefix(layer)
    return path.partition("/")[0]


def measured() -> list[str]:
    """Name the packages that are to be measured, as pyproject.toml does."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return list(settings["tool"]["coverage"]["run"]["source_pkgs"])


def count(report: Mapping[str, Any]) -> dict[str, Count]:
    """Add up the files of a report by package, in the order of their names."""
    found: dict[str, Count] = {}
    for path, file in report["files"].items():
        package = package_of(path)
        found[package] = found.get(package, Count()).plus(file["summary"])
    return dict(sorted(found.items()))


def table(packages: Mapping[str, Count]) -> str:
    """Set the packages out, one a line."""
    rows = [f"{'package':<16}{'branches taken':>24}{'lines':>26}"]
    for name, found in packages.items():
        branches = f"{found.branches_taken:,} of {found.branches:,}"
        lines = f"{found.lines_taken:,} of {found.lines:,}"
        rows.append(
            f"{name:<16}{branches:>16}{share(found.branches_taken, found.branches):6.1f} %"
            f"{lines:>18}{share(found.lines_taken, found.lines):6.1f} %"
        )
    return "\n".join(rows)


def too_few(packages: Mapping[str, Count], expected: Iterable[str], floor: float) -> list[str]:
    """Say in a sentence each which packages take less than a share of their branches, in percent, or are not there at all."""
    absent = [
        f"{name}: the report holds no file of it; the tests do not import it."
        for name in expected
        if name not in packages
    ]
    return absent + [
        f"{name}: the tests take {taken:.1f} % of the branches; at least {floor:g} % must be taken."
        for name, found in packages.items()
        if (taken := share(found.branches_taken, found.branches)) < floor
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print the table; return 1 if a package takes too few of its branches."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("--floor", type=float, default=90.0, help="percent (90)")
    options = parser.parse_args(arguments)
    packages = count(json.loads(options.report.read_text(encoding="utf-8")))
    faults = too_few(packages, measured(), options.floor)
    sys.stdout.write(table(packages) + "\n")
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
