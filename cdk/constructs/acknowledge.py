"""Findings of cdk-nag that stay, each with the reason why.

A reason is written where the finding arises. `acknowledge` refuses to record one without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk

if TYPE_CHECKING:
    from constructs import IConstruct


def acknowledge(scope: IConstruct, reason: str, *rules: str) -> None:
    """Let findings of ``rules`` pass on ``scope`` and all below it.

    Raises
    ------
    ValueError
        If the reason is empty.
    """
    if not reason.strip():
        message = f"{scope.node.path}: {', '.join(rules)} cannot be acknowledged without a reason"
        raise ValueError(message)
    cdk.Validations.of(scope).acknowledge(*(cdk.Acknowledgment(id=rule, reason=reason) for rule in rules))
