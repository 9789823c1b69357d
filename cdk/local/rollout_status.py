"""What a version does right now, as JSON for whoever watches a rollout. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cdk.local.function import LocalFunction


def version_status(local: LocalFunction, number: str, since: float | None) -> dict[str, Any]:
    """Give a version's share and metrics.

    Parameters
    ----------
    since : float or None
        Leave out what ended before this moment (of its metrics' clock); None leaves out nothing.
    """
    pool = local.versions[number]
    alias = local.alias
    weight = 0.0
    if alias is not None:
        rest = 1.0 - sum(alias.weights.values())
        weight = rest if number == alias.version else alias.weights.get(number, 0.0)
    seen = pool.metrics.latest(float("inf"), since=float("-inf") if since is None else since)
    return {
        "version": number,
        "description": pool.version.description,
        "weight": weight,
        "requests": seen.invocations,
        "failed": seen.errors,
        "error_rate": seen.error_rate,
        "p50_ms": seen.p50_ms,
        "p99_ms": seen.p99_ms,
        "in_flight": pool.in_flight,
        "environments": len(pool.environments),
        "provisioned": pool.version.provisioned,
        "spillover": pool.metrics.spillover,
    }
