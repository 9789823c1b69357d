"""What is in an image, and what is not: no compiler, no tests, no caches, no secrets, nothing that a stranger can change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support import docker, sbom
from tests.support.docker import UNPRIVILEGED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.stack import Assembly

IMAGES: Final = ("classification", "enrichment", "trending")
OURS: Final = "/opt /var/task"
COMPILERS: Final = (
    "cc",
    "gcc",
    "g++",
    "c++",
    "clang",
    "tcc",
    "ld",
    "as",
    "make",
    "cmake",
    "cargo",
    "rustc",
    "go",
    "javac",
)
LITTER: Final = (
    "-type d -name tests -o -type d -name test -o -type d -name .git -o -name .env -o -name '.env.*' -o -name '*.pyi' -o -name '*.a' "
    "-o -name '*.c' -o -name '*.h' -o -name '.*cache' -o -name '*.egg-info' -o -name Dockerfile -o -name 'requirements*' -o -name '*.pem' "
    "-o -name '*.key' -o -name conftest.py -o -name 'test_*.py' -o -name report -o -name pip -o -name setuptools"
)
AUTHORITIES: Final = ("/certifi/cacert.pem", "/botocore/cacert.pem", "/grpc/_cython/_credentials/roots.pem")
"""Lists of public certificate authorities, which these packages are shipped with."""


SPOIL: Final = """
FROM {image}
USER 0:0
RUN mkdir -p /opt/python/package/tests /var/task/.some_cache /root \\
 && touch /var/task/.env /opt/python/package/source.c /root/left /var/task/functions/late.py /opt/open /opt/closed /opt/raised \\
 && printf '#!/bin/sh' > /usr/local/bin/gcc && chmod 755 /usr/local/bin/gcc && cp /usr/local/bin/gcc /opt/python/package/cc \\
 && chmod 666 /opt/open && chmod 600 /opt/closed && chmod 4755 /opt/raised
USER 65534:65534
"""


@pytest.fixture(params=IMAGES)
def image(request: pytest.FixtureRequest, assembly: Assembly) -> str:
    return assembly.images[request.param]


@pytest.fixture(scope="module")
def spoiled(assembly: Assembly, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Build an image with one of everything that must not be there."""
    folder = tmp_path_factory.mktemp("spoiled")
    (folder / "Dockerfile").write_text(SPOIL.format(image=assembly.images["trending"]), encoding="utf-8")
    made = docker.docker("build", "--quiet", str(folder)).strip()
    yield made
    docker.docker("image", "rm", made)


def compilers(image: str) -> set[str]:
    on_the_path = f"for name in {' '.join(COMPILERS)}; do command -v $name || true; done"
    named = " -o ".join(f"-name {name}" for name in COMPILERS)
    return set(docker.shell(image, f"{on_the_path}; find {OURS} -type f -perm /111 \\( {named} \\)").split())


def litter(image: str) -> list[str]:
    found = docker.shell(image, f"find {OURS} {LITTER}").split()
    return [path for path in found if not path.endswith(AUTHORITIES)]


def in_users_folders(image: str) -> set[str]:
    script = "find /root /home /tmp /build -type f 2>/dev/null || true"
    options = ("--rm", "--user=0", "--network=none", "--entrypoint=/bin/sh")
    return set(docker.docker("run", *options, image, "-c", script).split())


def badly_guarded(image: str) -> set[str]:
    """Give what others can write or cannot read, and what runs with its owner's rights."""
    finds = ("-perm -o+w ! -type l", "-type f ! -perm -o+r", "-perm /6000")
    return {path for find in finds for path in docker.shell(image, f"find {OURS} {find}").split()}


def without_bytecode(image: str) -> tuple[int, list[str]]:
    """Give the number of modules, and those that would be compiled in every cold start."""
    script = """
import pathlib, importlib.util, json
roots = [pathlib.Path(p) for p in ("/var/task", "/opt/python/trending_core", "/opt/python/pydantic")]
files = [f for root in roots for f in root.rglob("*.py")]
bare = [str(f) for f in files if not pathlib.Path(importlib.util.cache_from_source(f)).is_file()]
print(json.dumps([len(files), bare]))
"""
    count, bare = json.loads(docker.python(image, script))
    return count, bare


def test_no_compiler_comes_along(image: str) -> None:
    # What the base image brings is the base image's; nothing may come on top.
    assert compilers(image) <= compilers(docker.base_image() or "")


def test_no_litter_comes_along(image: str) -> None:
    assert litter(image) == []


def test_the_users_folders_stay_as_the_base_has_them(image: str) -> None:
    assert in_users_folders(image) == in_users_folders(docker.base_image() or "")


def test_everything_is_readable_and_nothing_writable_for_others(image: str) -> None:
    assert badly_guarded(image) == set()


def test_no_module_waits_for_its_first_compilation(image: str) -> None:
    """Lambda's file system is read-only, so bytecode that is not in the image is never kept."""
    count, bare = without_bytecode(image)
    assert count > 50
    assert bare == []


def test_what_must_not_be_there_would_be_found(spoiled: str) -> None:
    assert {"/usr/local/bin/gcc", "/opt/python/package/cc"} <= compilers(spoiled)
    assert set(litter(spoiled)) == {
        "/opt/python/package/tests",
        "/opt/python/package/source.c",
        "/var/task/.env",
        "/var/task/.some_cache",
    }
    assert "/root/left" in in_users_folders(spoiled)
    assert badly_guarded(spoiled) == {"/opt/open", "/opt/closed", "/opt/raised"}
    assert without_bytecode(spoiled)[1] == ["/var/task/functions/late.py"]


def test_the_image_says_who_runs_it_and_holds_no_secret(image: str) -> None:
    config = docker.inspect(image)["Config"]
    assert config["User"] == UNPRIVILEGED
    base = docker.inspect(docker.base_image() or "")["Config"]
    added = {line.split("=", 1)[0] for line in set(config["Env"]) - set(base["Env"])}
    assert added <= {
        "GENRE_MODEL_DIR",
        "GENRE_XGBOOST_MODEL_DIR",
        "ORT_DISABLE_TELEMETRY",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONPATH",
    }


@pytest.mark.parametrize("name", IMAGES)
def test_a_bill_of_materials_names_everything_that_the_lock_installs(name: str, assembly: Assembly) -> None:
    from cdk.app import ROOT  # noqa: PLC0415 -- only this test reads a lock

    out = ROOT / "build" / "sbom" / f"{name}.cdx.json"
    sbom.write(assembly.images[name], out)
    bill: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    references = [component["bom-ref"] for component in bill["components"]]
    assert len(references) == len(set(references))
    libraries = {
        component["name"].lower().replace("_", "-"): component
        for component in bill["components"]
        if {"name": "place", "value": "/opt/python"} in component.get("properties", [])
    }
    lock = (ROOT / "functions" / name / "requirements.txt").read_text(encoding="utf-8")
    locked = dict(line.split(" ")[0].split("==") for line in lock.splitlines() if "==" in line)
    assert {key: item["version"] for key, item in libraries.items()} == locked
    assert [key for key, item in libraries.items() if not item["licenses"]] == []
    assert all(any(p["name"] == "record:sha256" for p in item["properties"]) for item in libraries.values())
