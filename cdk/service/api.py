"""How the public API is guarded: keys, throttling, origins, firewall, cache."""

from __future__ import annotations

from dataclasses import dataclass

from cdk.service.limits import CACHE_SIZES_GB, SpecError


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Settings of the REST API.

    Parameters
    ----------
    keys : bool
        Routes that are not public ask for an API key (header ``x-api-key``).
    rate, burst : int
        Requests per second, and at once, before 429: of one key where there are keys, of everybody together else.
    quota_per_day : int or None
        Requests of one key per day.
    origins : tuple of str
        Origins whose pages may call the API; ``*`` for any, () for none.
    firewall : bool
        AWS WAF in front: managed rules and a limit per address.
    requests_per_address : int
        Requests of one address in five minutes before the firewall blocks it.
    cache_gb : str or None
        Size of the response cache; None for no cache.
    """

    keys: bool = False
    rate: int = 50
    burst: int = 100
    quota_per_day: int | None = None
    origins: tuple[str, ...] = ()
    firewall: bool = False
    requests_per_address: int = 2_000
    cache_gb: str | None = None

    def __post_init__(self) -> None:
        if self.rate < 1 or self.burst < 1:
            message = (
                f"API throttle of {self.rate} requests per second, {self.burst} at once lets nothing through"
            )
            raise SpecError(message)
        if self.quota_per_day is not None and not (self.keys and self.quota_per_day >= 1):
            message = "a daily quota is counted per API key: it needs keys, and at least one request"
            raise SpecError(message)
        if not 10 <= self.requests_per_address <= 2_000_000_000:  # noqa: PLR2004 -- WAF's bounds
            message = (
                f"a limit of {self.requests_per_address} requests per address is below the firewall's 10"
            )
            raise SpecError(message)
        if self.cache_gb is not None and self.cache_gb not in CACHE_SIZES_GB:
            message = f"API cache of {self.cache_gb} GB is not one of {', '.join(CACHE_SIZES_GB)}"
            raise SpecError(message)
