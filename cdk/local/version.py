"""One published version of a function as this machine runs it: code, size, environment variables. Plain data."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cdk.local.invocation import ACCOUNT, REGION, function_arn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

INHERITED: Final = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)
"""All that a function sees of the service's own environment; in particular no AWS credentials."""
INHERITED_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_NO_PROXY: Final = "127.0.0.1,localhost,::1"
EXECUTION_ENV: Final = "AWS_Lambda_python3.13"
"""What the images' base sets; the runtime client encodes responses and polls by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A published version: what a process needs to be one of its execution environments.

    Parameters
    ----------
    function, number : str
        Name of the function; number of the version, from "1".
    handler : str
        ``module.function``.
    task_root : Path
        Folder with the code (``/var/task`` of an image): working directory and first on the import path.
    layers : tuple of Path
        Folders that follow on the import path (``/opt/python`` of an image).
    memory_mb, timeout_s : int
        Lambda's own settings.
    environment : mapping of str to str
        The function's variables.
    provisioned : int
        Environments kept initialised.
    concurrency : int
        Upper bound on environments.
    description : str
        For a person: what is in this version.
    """

    function: str
    number: str
    handler: str
    task_root: Path
    layers: tuple[Path, ...] = ()
    memory_mb: int = 512
    timeout_s: int = 29
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    provisioned: int = 0
    concurrency: int = 2
    description: str = ""

    @property
    def label(self) -> str:
        """``function:version``."""
        return f"{self.function}:{self.number}"

    @property
    def arn(self) -> str:
        """The version's own ARN."""
        return function_arn(self.function, self.number)


def process_environment(version: Version, runtime_api: str, *, provisioned: bool) -> dict[str, str]:
    """Give all environment variables of an execution environment's process.

    The runtime's own are those of https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html; the
    credentials are placeholders that only a local emulator accepts. The function's variables win, as on AWS all but
    the reserved ones do.

    Parameters
    ----------
    runtime_api : str
        ``host:port`` of the environment's Runtime API.
    """
    inherited = {name: os.environ[name] for name in (*INHERITED, *INHERITED_PROXIES) if name in os.environ}
    if any(name in inherited for name in INHERITED_PROXIES):
        no_proxy = ",".join(
            filter(None, (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), _NO_PROXY))
        )
        inherited |= {"NO_PROXY": no_proxy, "no_proxy": no_proxy}
    return {
        **inherited,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCOUNT_ID": ACCOUNT,
        "PYTHONPATH": os.pathsep.join(str(folder) for folder in (version.task_root, *version.layers)),
        "PYTHONUNBUFFERED": "1",
        **version.environment,
        "AWS_EXECUTION_ENV": EXECUTION_ENV,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency" if provisioned else "on-demand",
        "AWS_LAMBDA_FUNCTION_NAME": version.function,
        "AWS_LAMBDA_FUNCTION_VERSION": version.number,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(version.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{version.function}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"local/[{version.number}]{runtime_api.rpartition(':')[2]}",
        "LAMBDA_TASK_ROOT": str(version.task_root),
        "_HANDLER": version.handler,
    }
