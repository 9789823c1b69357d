"""The CDK app in tests: a small project folder to synthesise from, and templates that can be asked questions."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdk.app import ROOT, build
from cdk.service import service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cdk.service import Service

Resource = dict[str, Any]
MODELS = ("genre-bert", "genre-xgboost")
MODEL, OTHER_MODEL = (f"model_artifacts/{name}/0.1.0" for name in MODELS)


def project(root: Path) -> Path:
    """Make a folder with everything that an image's hash depends on, but tiny."""
    for name in ("classification", "enrichment", "trending"):
        folder = root / "functions" / name
        folder.mkdir(parents=True)
        document = "COPY functions/openapi.json /\n" if name == "classification" else ""
        (folder / "Dockerfile").write_text(f"FROM scratch\n{document}")
        (folder / "handler.py").write_text(f"# {name}\n")
    (root / "functions" / "__init__.py").write_text("")
    shutil.copytree(
        ROOT / "functions" / "hooks",
        root / "functions" / "hooks",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy(ROOT / "functions" / "openapi.json", root / "functions" / "openapi.json")
    shutil.copy(ROOT / ".dockerignore", root / ".dockerignore")
    for layer in ("core", "genre"):
        (root / "layers" / layer / "python").mkdir(parents=True)
        (root / "layers" / layer / "python" / "module.py").write_text(f"# {layer}\n")
    for champion in (MODEL, OTHER_MODEL):
        (root / champion).mkdir(parents=True)
        (root / champion / "manifest.json").write_text("{}")
    versions: dict[str, Any] = {"0.1.0": {"files": {}, "lineage": {}, "metrics": {}}}
    entry = {"aliases": {"champion": "0.1.0"}, "versions": versions}
    registry = {"models": dict.fromkeys(MODELS, entry)}
    (root / "model_artifacts" / "registry.json").write_text(json.dumps(registry))
    return root


def context(stage: str, *, emulated: bool = False, **place: str) -> dict[str, Any]:
    """Give the context of ``cdk.json`` with this stage's place."""
    values: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return {**values, "stage": stage, "emulated": emulated, "stages": {stage: place}}


@dataclass(frozen=True)
class Template:
    """One stack's template."""

    name: str
    body: dict[str, Any]

    @property
    def resources(self) -> dict[str, Resource]:
        found: dict[str, Resource] = self.body.get("Resources", {})
        return found

    def of_type(self, kind: str) -> dict[str, Resource]:
        return {key: value for key, value in self.resources.items() if value["Type"] == kind}

    def one(self, kind: str, **properties: object) -> tuple[str, Resource]:
        """Give the only resource of a type with these properties (top-level, exactly equal)."""
        found = [
            (key, value)
            for key, value in self.of_type(kind).items()
            if all(value.get("Properties", {}).get(name) == wanted for name, wanted in properties.items())
        ]
        assert len(found) == 1, f"{len(found)} of {kind} with {properties} in {self.name}"
        return found[0]

    def statements(self, role: str) -> list[dict[str, Any]]:
        """Give all that a role may do: inline policies and attached ones."""
        found = [
            statement
            for policy in self.resources[role]["Properties"].get("Policies", [])
            for statement in policy["PolicyDocument"]["Statement"]
        ]
        for policy in self.of_type("AWS::IAM::Policy").values():
            if {"Ref": role} in policy["Properties"]["Roles"]:
                found.extend(policy["Properties"]["PolicyDocument"]["Statement"])
        return found


@dataclass(frozen=True)
class Assembly:
    """What a synth has written."""

    folder: Path
    spec: Service

    def template(self, suffix: str) -> Template:
        (path,) = self.folder.glob(f"trending-now*{suffix}.template.json")
        return Template(path.name, json.loads(path.read_text()))

    def stacks(self) -> list[Template]:
        return [
            Template(path.name, json.loads(path.read_text()))
            for path in sorted(self.folder.glob("*.template.json"))
        ]

    def messages(self) -> list[str]:
        """Give every warning and error that the synth has noted on a construct."""
        return [
            f"{path}: {entry['data']}"
            for metadata in self._metadata()
            for path, entries in metadata.items()
            for entry in entries
            if entry["type"] in {"aws:cdk:warning", "aws:cdk:error"}
        ]

    def _metadata(self) -> Iterator[Mapping[str, list[dict[str, Any]]]]:
        manifest = json.loads((self.folder / "manifest.json").read_text())
        for artifact in manifest["artifacts"].values():
            yield artifact.get("metadata", {})
            if extra := artifact.get("additionalMetadataFile"):
                yield json.loads((self.folder / extra).read_text())


def synthesise(
    folder: Path, root: Path, values: Mapping[str, Any], spec: Service | None = None, document: Any = None
) -> Assembly:
    """Synthesise into ``folder``; a finding of cdk-nag that nobody acknowledged makes this raise."""
    build(context=values, outdir=folder, root=root, spec=spec, document=document).synth()
    return Assembly(folder, spec or service(values["stage"]))


def text(value: object) -> str:
    """Write a piece of template as one line: references in angle brackets, without the hash in a logical id."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        if "Ref" in value:
            return f"<{_plain(value['Ref'])}>"
        if "Fn::GetAtt" in value:
            logical_id, attribute = value["Fn::GetAtt"]
            return f"<{_plain(logical_id)}.{attribute}>"
        if "Fn::Join" in value:
            separator, parts = value["Fn::Join"]
            return str(separator).join(text(part) for part in parts)
        if "Fn::Select" in value:
            index, split = value["Fn::Select"]
            return f"{text(split['Fn::Split'][1])}[{index}]"
        if "Fn::ImportValue" in value:
            return f"<{_plain(value['Fn::ImportValue'].rsplit(':', 1)[1].removeprefix('ExportsOutput'))}>"
    message = f"cannot write {value!r} as a text"
    raise ValueError(message)


def _plain(logical_id: str) -> str:
    if logical_id.startswith("AWS::"):
        return logical_id
    return re.sub(
        r"(CurrentVersion)?[0-9A-F]{8}([0-9a-f]{32}|Arn[0-9A-F]{8}|[0-9A-F]{8})?$", r"\1", logical_id
    )


def references(value: object) -> Iterator[str]:
    """Yield the logical ids that a piece of template refers to."""
    if isinstance(value, dict):
        if set(value) == {"Ref"}:
            yield value["Ref"]
        elif set(value) == {"Fn::GetAtt"}:
            yield value["Fn::GetAtt"][0]
        else:
            for part in value.values():
                yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def cycle(template: Template) -> list[str]:
    """Give the logical ids of a dependency cycle, or nothing. CloudFormation refuses one, the CDK does not look."""
    edges: dict[str, set[str]] = {}
    for key, resource in template.resources.items():
        depends = resource.get("DependsOn", [])
        named = {depends} if isinstance(depends, str) else set(depends)
        named.update(references(resource.get("Properties", {})))
        named.update(references(resource.get("UpdatePolicy", {})))
        edges[key] = named.intersection(template.resources)
    state: dict[str, int] = {}

    def visit(key: str, path: list[str]) -> list[str]:
        state[key] = 1
        for other in sorted(edges[key]):
            if state.get(other) == 1:
                return [*path, key, other]
            if other not in state and (found := visit(other, [*path, key])):
                return found
        state[key] = 2
        return []

    for key in sorted(edges):
        if key not in state and (found := visit(key, [])):
            return found
    return []
