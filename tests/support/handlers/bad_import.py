"""Cannot be imported: its dependency is not installed."""

from typing import Any

import a_package_that_is_not_installed  # type: ignore[import-not-found]  # noqa: F401


def handler(event: dict[str, Any], context: Any) -> None:
    """Never reached."""
