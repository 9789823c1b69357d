"""The AWS emulator as a companion of the service: `emulator` and `resources` on the service's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from cdk.local.emulator import Emulator
from cdk.local.invocation import REGION
from cdk.local.resources import make_resources, variables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cdk.service import Function, Service

_LOG: Final = logging.getLogger(__name__)
WATCH_S: Final = 1.0
"""How often it is looked whether the emulator is still there."""
PLACE: Final = "place.json"
"""In the emulator's folder while it runs, for other commands: where it answers and what the resources are called."""


class AwsCompanion:
    """DynamoDB, S3, SQS, Secrets Manager and Step Functions for the functions, with the spec's resources in them.

    Parameters
    ----------
    service : Service
        Whose tables, queues, buckets, secrets and state machines are made.
    folder : Path
        Where the emulator keeps its state.
    fresh : bool
        Forget the state of earlier runs.
    settings : mapping of str to str
        Variables of the emulator, as `Emulator` takes them.
    """

    name = "the AWS emulator"

    def __init__(
        self,
        service: Service,
        folder: Path,
        *,
        fresh: bool = False,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._service = service
        self._place = folder / PLACE
        self._emulator = Emulator(folder, fresh=fresh, settings=settings)
        self._names: dict[str, str] = {}
        self._starting: asyncio.Future[None] | None = None

    @property
    def endpoint_url(self) -> str:
        """Where it answers, once started."""
        return self._emulator.endpoint_url

    @property
    def names(self) -> Mapping[str, str]:
        """Name in the spec -> name, URL or ARN of the resource, once started."""
        return self._names

    async def start(self, lambda_url: str) -> None:
        """Start the emulator and make what is missing; its Step Functions call the functions of the service."""
        self._starting = asyncio.ensure_future(asyncio.to_thread(self._start, lambda_url))
        # A thread cannot be cancelled; `stop` waits for it.
        await asyncio.shield(self._starting)

    def environment(self, function: Function) -> Mapping[str, str]:
        """Give the endpoint, and the names of what the function may use."""
        return {"AWS_ENDPOINT_URL": self.endpoint_url, **variables(function, self._names)}

    async def watch(self) -> None:
        """Raise an `EmulatorError` when the emulator ends unasked: without it every route with data would fail."""
        while True:
            if error := self._emulator.failure():
                _LOG.error("%s", error)
                raise error
            await asyncio.sleep(WATCH_S)

    async def stop(self) -> None:
        """Let the emulator save its state and end."""
        if self._starting is not None:
            with contextlib.suppress(Exception):  # `start` has raised it
                await self._starting
        self._place.unlink(missing_ok=True)
        await asyncio.to_thread(self._emulator.stop)

    def session(self) -> Any:  # noqa: ANN401 -- boto3 makes its classes at run time
        """Give a boto3 session for the emulator, with credentials that open nothing else."""
        # Slow to import, and only for a service with data.
        from boto3 import Session  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
        from botocore.session import get_session  # noqa: PLC0415

        core = get_session()
        # The emulator is on this machine: no proxy may come between.
        core.set_default_client_config(Config(proxies={}))
        return Session(
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 -- no secret
            region_name=REGION,
            botocore_session=core,
        )

    def _start(self, lambda_url: str) -> None:
        self._emulator.start(lambda_url=lambda_url)
        self._names = make_resources(self._service, self.session(), self.endpoint_url)
        place = {"endpoint_url": self.endpoint_url, "region": REGION, "names": self._names}
        temporary = self._place.with_suffix(".tmp")
        temporary.write_text(json.dumps(place, indent=2) + "\n", encoding="utf-8")
        temporary.replace(self._place)
