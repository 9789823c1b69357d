"""The CDK app deployed to the AWS emulator with Docker behind it: real templates, real images, real API Gateway routes.

Owns synthesis, the images under the names that the templates give them, bootstrap and deployment. What the service
answers is for `tests/e2e/aws`; an account of AWS gets the same app by `cdk deploy`.
"""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3

from cdk.app import ROOT
from cdk.local.emulator import Emulator
from cdk.local.invocation import ACCOUNT, REGION
from cdk.local.resources import make_resources, variables
from cdk.service import service
from tests.support.docker import base_image, docker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STAGE: Final = "staging"
"""The stage with API keys, but without production's deletion protection."""
BUCKET: Final = "Files"
"""The bucket for uploads, by its logical id."""
PYTHON_FOLDER: Final = str(ROOT / ".venv" / "bin")
CDK: Final = ROOT / "node_modules" / ".bin" / "cdk"
PLACES: Final = {"AccountId": ACCOUNT, "Region": REGION, "Partition": "aws", "URLSuffix": "amazonaws.com"}


@dataclass(frozen=True)
class Assembly:
    """What a synth wrote, and the images it names.

    Attributes
    ----------
    images : mapping
        Short name of the image (its folder in ``functions/``) to the name under which Lambda will look for it.
    """

    folder: Path
    images: Mapping[str, str]


def synthesise(folder: Path) -> Assembly:
    """Write the templates for the emulator and read which images they ask for."""
    _cdk("synth", "--quiet", "--output", str(folder), environment=os.environ)
    return Assembly(folder, {name: uri for name, (uri, _) in _image_assets(folder).items()})


def build(assembly: Assembly, *names: str) -> None:
    """Build images exactly as the CDK would, under their final names, on the base image of this machine."""
    for name, (uri, source) in _image_assets(assembly.folder).items():
        if names and name not in names:
            continue
        arguments = {**source.get("dockerBuildArgs", {}), "BASE_IMAGE": base_image() or ""}
        docker(
            "build",
            "--quiet",
            f"--platform={source['platform']}",
            *(f"--build-arg={key}={value}" for key, value in arguments.items()),
            f"--file={assembly.folder / source['directory'] / source['dockerFile']}",
            f"--tag={uri}",
            str(assembly.folder / source["directory"]),
            timeout=1200,
        )


def bridge() -> str:
    """Address of this machine on Docker's bridge: reachable for containers and for this machine, for nobody else."""
    if sys.platform != "linux":
        return "127.0.0.1"  # Docker Desktop leads host.docker.internal to the loopback interface
    found = json.loads(docker("network", "inspect", "bridge"))[0]["IPAM"]["Config"][0]
    # Older daemons leave the gateway out; it is the subnet's first address.
    return found.get("Gateway") or str(next(ipaddress.ip_network(found["Subnet"]).hosts()))


def emulator(folder: Path, *, host: str) -> Emulator:
    """AWS on this machine whose Lambda runs images, as strictly as Lambda does."""
    settings = {
        "LAMBDA_EXECUTOR": "docker",
        "LAMBDA_STRICT": "1",
        "LAMBDA_DOCKER_FLAGS": "--read-only --tmpfs /tmp --security-opt no-new-privileges",
        "MINISTACK_HOST": host,
        "PERSIST_STATE": "0",
        "S3_PERSIST": "0",
        **({"DOCKER_HOST": os.environ["DOCKER_HOST"]} if "DOCKER_HOST" in os.environ else {}),
    }
    return Emulator(folder, host=host, settings=settings)


def deploy(assembly: Assembly, endpoint_url: str) -> str:
    """Bootstrap the emulated account and deploy data and service; give the id of the REST API."""
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"):
        environment.pop(name, None)
    _cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}", environment=environment)
    outputs = assembly.folder / "outputs.json"
    _cdk(
        "deploy",
        "--all",
        "--app",
        str(assembly.folder),
        "--require-approval=never",
        "--method=direct",
        f"--outputs-file={outputs}",
        environment=environment,
    )
    written: dict[str, dict[str, str]] = json.loads(outputs.read_text(encoding="utf-8"))
    (url,) = (value for stack in written.values() for key, value in stack.items() if key == "Url")
    return url.split("//")[1].split(".")[0]


def api_key(session: boto3.Session, endpoint_url: str) -> str:
    """Give the value of the one API key that the deployment made."""
    client = session.client("apigateway", endpoint_url=endpoint_url)
    (key,) = client.get_api_keys(includeValues=True)["items"]
    return str(key["value"])


def bucket(session: boto3.Session, endpoint_url: str) -> str:
    """Give the name of the one bucket for uploads."""
    client = session.client("cloudformation", endpoint_url=endpoint_url)
    found = client.describe_stack_resources(StackName=f"trending-now-{STAGE}-data")["StackResources"]
    (name,) = (
        item["PhysicalResourceId"]
        for item in found
        if item["ResourceType"] == "AWS::S3::Bucket" and BUCKET in item["LogicalResourceId"]
    )
    return str(name)


def surroundings(endpoint_url: str) -> dict[str, dict[str, str]]:
    """Make the spec's data at an endpoint, without the CDK, and give each function's variables."""
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
    spec = service("dev")
    names = make_resources(spec, session, endpoint_url)
    common = {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": REGION,
        "CLASSIFICATION_FUNCTION": "classification",
    }
    return {
        function.name: {**spec.environment(function), **variables(function, names), **common}
        for function in spec.functions
    }


def _image_assets(folder: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    found = {}
    for path in sorted(folder.glob("*.assets.json")):
        for asset in json.loads(path.read_text(encoding="utf-8")).get("dockerImages", {}).values():
            (destination,) = asset["destinations"].values()
            repository = destination["repositoryName"]
            for name, value in PLACES.items():
                repository = repository.replace(f"${{AWS::{name}}}", value)
            registry = f"{ACCOUNT}.dkr.ecr.{REGION}.{PLACES['URLSuffix']}"
            name = asset["displayName"].removeprefix("trending-now-")
            found[name] = (f"{registry}/{repository}:{destination['imageTag']}", asset["source"])
    return found


def _cdk(verb: str, *arguments: str, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [
            str(CDK),
            verb,
            *arguments,
            "--no-notices",
            "--context",
            f"stage={STAGE}",
            "--context",
            "emulated=true",
        ],
        cwd=ROOT,
        env={**environment, "PATH": f"{PYTHON_FOLDER}{os.pathsep}{os.environ['PATH']}", "CI": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if done.returncode:
        message = f"cdk {verb} ended with status {done.returncode}: {(done.stdout + done.stderr)[-4000:]}"
        raise RuntimeError(message)
