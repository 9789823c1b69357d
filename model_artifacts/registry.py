"""The registry: which versions of a model exist, what they scored, and which one serves.

``registry.json`` is committed: a promotion is a change to that file, and the deployment follows from the commit.

Errors
------
RegistryError : the registry cannot be read, or does not hold what was asked for.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

REGISTRY_NAME: Final = "registry.json"
CHAMPION: Final = "champion"
PREVIOUS: Final = "previous"
"""What was champion before the latest promotion or rollback: where a rollback goes."""
CARD_NAME: Final = "MODEL_CARD.md"
"""The model card in each version's folder."""
ROOT: Final = Path(__file__).resolve().parent
"""The committed ``model_artifacts/`` folder."""


class RegistryError(ValueError):
    """The registry is missing or damaged, or has no such model, version or alias; one sentence says which."""


@dataclass(frozen=True, slots=True)
class Registry:
    """The content of one ``registry.json`` and the folder it speaks of.

    ``models`` maps a model's name to ``{"versions": {version: record}, "aliases": {alias: version}}``; a record holds
    ``files`` (name -> sha256), ``metrics`` and ``lineage``.
    """

    root: Path
    models: dict[str, Any]

    @classmethod
    def load(cls, root: Path = ROOT) -> Self:
        """Read ``registry.json`` in ``root``.

        Raises
        ------
        RegistryError
            If it is missing, is not JSON, or an alias names a version that is not registered.
        """
        path = root / REGISTRY_NAME
        try:
            models = json.loads(path.read_text(encoding="utf-8"))["models"]
            for name, model in models.items():
                for alias, version in model["aliases"].items():
                    if version not in model["versions"]:
                        message = f"{path}: alias {alias} of {name} names version {version}, which is not registered"
                        raise RegistryError(message)
        except OSError as error:
            message = f"model registry {path} cannot be read: {error.strerror}"
            raise RegistryError(message) from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            message = f"model registry {path} is not JSON: {error}"
            raise RegistryError(message) from error
        except (KeyError, TypeError, AttributeError) as error:
            message = f"model registry {path} does not have the shape of a registry ({error!r})"
            raise RegistryError(message) from error
        return cls(root, models)

    def version(self, model: str, reference: str = CHAMPION) -> str:
        """Turn an alias or a version into a version.

        Raises
        ------
        RegistryError
            If the model is unknown, or has no such alias or version.
        """
        if model not in self.models:
            known = ", ".join(sorted(self.models)) or "none"
            message = f"the registry has no model {model!r}; it has: {known}"
            raise RegistryError(message)
        entry = self.models[model]
        version = entry["aliases"].get(reference, reference)
        if version not in entry["versions"]:
            known = ", ".join([*sorted(entry["aliases"]), *sorted(entry["versions"])])
            message = f"model {model} has no version or alias {reference!r}; it has: {known}"
            raise RegistryError(message)
        return str(version)

    def resolve(self, model: str, reference: str = CHAMPION) -> Path:
        """Give the artifact folder of an alias or a version; its content is checked when it is loaded.

        Raises
        ------
        RegistryError
            As `version`, or if the folder is not there.
        """
        version = self.version(model, reference)
        folder = self.root / model / version
        if not folder.is_dir():
            message = f"version {version} of {model} is registered, but its folder {folder} is missing"
            raise RegistryError(message)
        return folder

    def with_version(self, model: str, version: str, record: dict[str, Any]) -> Registry:
        """Give a registry that also holds this version; a model's first version becomes its champion."""
        entry = self.models.get(model, {"versions": {}, "aliases": {}})
        aliases = {CHAMPION: version, **entry["aliases"]}
        changed = {"versions": {**entry["versions"], version: record}, "aliases": aliases}
        return Registry(self.root, {**self.models, model: changed})

    def with_champion(self, model: str, version: str) -> Registry:
        """Give a registry whose champion is this version; the old one stays on record as ``previous``.

        Raises
        ------
        RegistryError
            If the model or the version is not registered.
        """
        wanted = self.version(model, version)
        entry = self.models[model]
        aliases = dict(entry["aliases"])
        if (before := aliases.get(CHAMPION)) not in (None, wanted):
            aliases[PREVIOUS] = before
        aliases[CHAMPION] = wanted
        return Registry(self.root, {**self.models, model: {**entry, "aliases": aliases}})

    def rolled_back(self, model: str) -> Registry:
        """Give a registry whose champion is the one before; a second rollback undoes the first.

        Raises
        ------
        RegistryError
            If the model is not registered or never had another champion.
        """
        self.version(model)
        previous = self.models[model]["aliases"].get(PREVIOUS)
        if previous is None:
            message = f"model {model} has had no other champion than {self.version(model)}"
            raise RegistryError(message)
        return self.with_champion(model, previous)

    def save(self) -> None:
        """Write ``registry.json`` atomically, in a form whose differences read well."""
        path = self.root / REGISTRY_NAME
        temporary = path.with_name(f".{REGISTRY_NAME}.{os.getpid()}.tmp")
        content = json.dumps({"models": self.models}, indent=2, sort_keys=True, ensure_ascii=False)
        temporary.write_text(content + "\n", encoding="utf-8")
        temporary.replace(path)
