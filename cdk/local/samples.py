"""The sample items as a companion of the service: put into the items table where they are not there yet."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cdk.local.errors import ServeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdk.local.aws import AwsCompanion
    from cdk.service import Function

TABLE: Final = "items"
"""The items table's name in the spec."""


class SampleItems:
    """Loads `cdk.local.seeds` after AWS has come up.

    Parameters
    ----------
    aws : AwsCompanion
        Started before this one.
    """

    name = "the sample items"

    def __init__(self, aws: AwsCompanion) -> None:
        self._aws = aws

    async def start(self, lambda_url: str) -> None:  # noqa: ARG002 -- the protocol's
        """Load the samples unless they are there."""
        if TABLE in self._aws.names:
            await asyncio.to_thread(self._load)

    def environment(self, function: Function) -> Mapping[str, str]:  # noqa: ARG002 -- the protocol's
        """Give nothing: the samples are in the store."""
        return {}

    async def watch(self) -> None:
        """Return: nothing runs that could end."""

    async def stop(self) -> None:
        """Nothing runs."""

    def _load(self) -> None:
        from cdk.local.seeds.samples import load_samples  # noqa: PLC0415
        from trending_core.errors import TrendingError  # noqa: PLC0415 -- with what follows, slow to import
        from trending_core.store_dynamodb import DynamoItemStore  # noqa: PLC0415

        client = self._aws.session().client("dynamodb", endpoint_url=self._aws.endpoint_url)
        try:
            load_samples(DynamoItemStore(client, self._aws.names[TABLE]), datetime.now(UTC))
        except TrendingError as error:
            message = f"the sample items cannot be loaded: {error.detail}"
            raise ServeError(message) from error
        finally:
            client.close()
