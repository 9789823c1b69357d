"""The sizes of the images, printed where they were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support import sizes

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    measured = config.stash.get(sizes.MEASURED, {})
    if measured:
        terminalreporter.section("unpacked sizes of the images")
        for line in sizes.table(measured):
            terminalreporter.write_line(line)
