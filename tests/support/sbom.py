"""A software bill of materials of a function's image, in CycloneDX 1.6: what is in it, read from the image itself.

    BASE_IMAGE=... python -m tests.support.sbom IMAGE -o build/sbom/classification.cdx.json

Components are the Python distributions (name, version, licence, and the SHA-256 of the files' own list ``RECORD``), the model's files
with their SHA-256, and the packages of the operating system. https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import argparse
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.support.docker import inspect, python

_READ: Final = """
import hashlib, importlib.metadata, json, pathlib, platform, subprocess, sys
def sha256(path): return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
found = {"python": platform.python_version(), "distributions": [], "models": [], "system": []}
for place in ("/opt/python", "/var/runtime", "/var/lang/lib/python3.13/site-packages"):
    for item in importlib.metadata.distributions(path=[place]):
        fields, record = item.metadata, pathlib.Path(item._path) / "RECORD"
        found["distributions"].append({
            "name": fields["Name"], "version": item.version, "place": place,
            "expression": fields.get("License-Expression"), "licence": fields.get("License"),
            "classifiers": [c for c in fields.get_all("Classifier") or [] if c.startswith("License")],
            "record": sha256(record) if record.is_file() else None,
        })
for path in sorted(pathlib.Path("/opt/models").rglob("*")) if pathlib.Path("/opt/models").is_dir() else []:
    if path.is_file():
        found["models"].append({"path": str(path), "sha256": sha256(path)})
for query in (["rpm", "-qa", "--qf", "%{NAME}\\t%{VERSION}-%{RELEASE}\\t%{LICENSE}\\n"],
              ["dpkg-query", "-W", "-f", "${Package}\\t${Version}\\t\\n"]):
    try:
        lines = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        continue
    found["system"] = [[query[0].split("-")[0], *line.split("\\t")] for line in lines]
    break
print(json.dumps(found))
"""


def bill(image: str) -> dict[str, Any]:
    """Give the bill of one image.

    Raises
    ------
    RuntimeError
        If the image is not there or cannot be run.
    """
    found: dict[str, Any] = json.loads(python(image, _READ))
    about = inspect(image)
    name = image.rsplit("/", 1)[-1].split(":", maxsplit=1)[0]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "component": {
                "type": "container",
                "bom-ref": "image",
                "name": name,
                "version": about["Id"],
                "hashes": [{"alg": "SHA-256", "content": about["Id"].removeprefix("sha256:")}],
            },
        },
        "components": [
            {"type": "platform", "bom-ref": "python", "name": "cpython", "version": found["python"]},
            *map(_distribution, found["distributions"]),
            *map(_model_file, found["models"]),
            *(_system_package(*entry) for entry in found["system"]),
        ],
    }


def _distribution(item: dict[str, Any]) -> dict[str, Any]:
    name = item["name"].lower().replace("_", "-")
    purl = f"pkg:pypi/{name}@{item['version']}"
    component = {
        "type": "library",
        "bom-ref": f"{purl}#{item['place']}",
        "name": item["name"],
        "version": item["version"],
        "purl": purl,
        "licenses": _licences(item),
        "properties": [{"name": "place", "value": item["place"]}],
    }
    if item["record"]:
        component["properties"].append({"name": "record:sha256", "value": item["record"]})
    return component


def _licences(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Say the licence as the package says it: an SPDX expression, else its words, else its classifiers."""
    if item["expression"]:
        return [{"expression": item["expression"]}]
    classifiers = [text.rsplit("::", 1)[-1].strip() for text in item["classifiers"]]
    words = (item["licence"] or "").strip()
    # Some packages put the licence's whole text where its name belongs.
    names = classifiers or ([words.splitlines()[0][:100]] if words else [])
    return [{"license": {"name": name}} for name in names]


def _model_file(item: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "machine-learning-model" if item["path"].endswith((".onnx", ".ubj")) else "file",
        "bom-ref": item["path"],
        "name": item["path"],
        "hashes": [{"alg": "SHA-256", "content": item["sha256"]}],
    }


def _system_package(kind: str, name: str, version: str, licence: str) -> dict[str, Any]:
    kind = "deb" if kind == "dpkg" else kind
    purl = f"pkg:{kind}/{name}@{version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "licenses": [{"license": {"name": licence}}] if licence else [],
    }


def write(image: str, out: Path) -> None:
    """Write the bill of one image to a file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(bill(image), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("image")
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    write(options.image, options.out)
