"""The stack of what must not be lost: deployed rarely, apart from the code that changes daily."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk

from cdk.constructs.data import Data

if TYPE_CHECKING:
    from constructs import Construct

    from cdk.service import Service


class DataStack(cdk.Stack):
    """Tables, buckets, queues and secrets of one stage."""

    def __init__(self, scope: Construct, id_: str, *, env: cdk.Environment, service: Service) -> None:
        super().__init__(
            scope,
            id_,
            env=env,
            description=f"Trending Now, {service.stage}: data",
            termination_protection=service.protected,
        )
        self.data = Data(self, "Data", service=service)
