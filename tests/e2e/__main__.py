"""Everything that needs Docker: images built and tested, the CDK app deployed to an emulated AWS and called (``make e2e``).

    python -m tests.e2e [--where-possible] [options of pytest]
    python -m tests.e2e --base-url https://... [--api-key ...] [--bucket NAME]    # a stage on AWS; no Docker

``BASE_IMAGE`` names another base image than AWS's, ``DOCKER`` another command than ``docker``. Ends with pytest's status, or
with 69 where Docker cannot be used; with ``--where-possible`` that is no failure.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support import base_image, daemon, preflight
from tests.support.daemon import DockerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
HOME: Final = ROOT / "build" / "docker"
"""What a daemon that is started here keeps, so that the next run need not build everything again."""
IMAGES: Final = str(ROOT / "tests" / "e2e" / "images")
DEPLOYED: Final = str(ROOT / "tests" / "e2e" / "aws")
LIMIT_S: Final = 1800
"""For one test with what it waits for: the first builds all images."""
UNAVAILABLE: Final = 69
"""EX_UNAVAILABLE of sysexits.h; pytest ends with none of these."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--where-possible", action="store_true", help="not to be able to use Docker is no failure"
    )
    parser.add_argument("--base-url", help="where a deployed stage answers; only that one is tested")
    options, rest = parser.parse_known_args(arguments)
    if options.base_url:
        return int(pytest.main([f"--timeout={LIMIT_S}", DEPLOYED, f"--base-url={options.base_url}", *rest]))
    # Whoever ends this run ends the containers and the daemon with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with daemon.running(HOME) as which:
            say(f"Docker: {which}.")
            base = base_image.obtain(os.environ.get("BASE_IMAGE") or base_image.AWS_BASE)
            if base == base_image.STAND_IN:
                say(f"{base_image.AWS_BASE} cannot be pulled; its stand-in from Debian's packages is used.")
            preflight.check(base)
            os.environ["BASE_IMAGE"] = base
            return int(pytest.main([f"--timeout={LIMIT_S}", IMAGES, DEPLOYED, *rest]))
    except DockerUnavailableError as reason:
        say(f"The images and the deployed app (make e2e) are not tested: {reason}.")
        return 0 if options.where_possible else UNAVAILABLE


def say(sentence: str) -> None:
    """Write it before pytest writes anything."""
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
