"""The Lambda base image that the functions' images are built on: held here, pulled, or replaced by a stand-in from Debian's packages.

The stand-in (``tests/e2e/base``) is for machines that cannot reach the registry of AWS's image. It is made only in place of that
very image: whoever names another one gets that one or none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.support import docker
from tests.support.daemon import DockerUnavailableError

AWS_BASE: Final = "public.ecr.aws/lambda/python:3.13"
STAND_IN: Final = "trending-now/lambda-python:3.13"
PULL_S: Final = 300.0
MAKE_S: Final = 600.0
ROOT: Final = Path(__file__).resolve().parents[2]
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
SUITE: Final = "trixie"
"""The Debian release whose Python is 3.13."""
_UNUSED: Final = ("doc", "man", "locale", "info")


def obtain(name: str) -> str:
    """Give the name of the image to build on.

    Parameters
    ----------
    name : str
        The image that is wanted.

    Raises
    ------
    DockerUnavailableError
        If it is not here, cannot be pulled, and nothing may stand in for it.
    """
    if docker.has_image(name):
        return name
    try:
        docker.docker("pull", "--quiet", docker.PLATFORM, name, timeout=PULL_S)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        reason = f"the base image {name} cannot be pulled ({docker.last_words(str(error))})"
    else:
        return name
    if name != AWS_BASE:
        raise DockerUnavailableError(reason)
    if not docker.has_image(STAND_IN):
        try:
            _make_stand_in()
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            message = f"{reason}, and its stand-in cannot be made ({docker.last_words(str(error))})"
            raise DockerUnavailableError(message) from error
    return STAND_IN


def _make_stand_in() -> None:
    program = shutil.which("mmdebstrap")
    if program is None:
        message = "there is no mmdebstrap, which gathers Debian's packages"
        raise RuntimeError(message)
    with tempfile.TemporaryDirectory(prefix="lambda-base-") as made:
        context = Path(made) / "context"
        shutil.copytree(ROOT / "tests" / "e2e" / "base", context)
        _gather(program, context / "system.tar")
        docker.docker("build", "--quiet", docker.PLATFORM, f"--tag={STAND_IN}", str(context), timeout=MAKE_S)


def _gather(program: str, archive: Path) -> None:
    """Write Debian's smallest system with Python and pip as an archive."""
    hooks = ['rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/* "$1"/usr/lib/python3*/EXTERNALLY-MANAGED']
    if CERTIFICATES.is_file():
        # What this machine trusts, its proxy's authority included.
        hooks.append(f"upload {CERTIFICATES} {CERTIFICATES}")
    done = subprocess.run(
        [
            program,
            "--quiet",
            "--variant=minbase",
            "--architectures=amd64",
            "--include=python3,python3-pip,ca-certificates",
            *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in _UNUSED),
            *(f"--customize-hook={hook}" for hook in hooks),
            SUITE,
            str(archive),
        ],
        capture_output=True,
        text=True,
        timeout=MAKE_S,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    if done.returncode:
        message = f"mmdebstrap ended with status {done.returncode}: {done.stderr.strip()}"
        raise RuntimeError(message)
