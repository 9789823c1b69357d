"""Where a stage is deployed: what ``cdk.json`` says about account, domain, mail address and repository.

What the service *is* at a stage stands in `cdk.service`; nothing about a function belongs here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from cdk.service import STAGES, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

_REPOSITORY: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$")
_ACCOUNT: Final = re.compile(r"^\d{12}$")
_KNOWN: Final = tuple(stage for stage in STAGES if stage != "local")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One stage's surroundings.

    Parameters
    ----------
    account, region : str or None
        None leaves them to the credentials that deploy.
    repository : str or None
        ``owner/name`` on GitHub whose workflows may deploy this stage; None makes no such role.
    environment : str or None
        The GitHub environment that the role asks for; the stage's name when None.
    alarm_email : str or None
        Who is told when an alarm rings.
    domain, certificate_arn : str or None
        A host name of one's own and its certificate in the same region; both or neither.
    hosted_zone_id, hosted_zone_name : str or None
        The Route 53 zone that gets the host name's record; both or neither.
    """

    account: str | None = None
    region: str | None = None
    repository: str | None = None
    environment: str | None = None
    alarm_email: str | None = None
    domain: str | None = None
    certificate_arn: str | None = None
    hosted_zone_id: str | None = None
    hosted_zone_name: str | None = None

    def __post_init__(self) -> None:
        if self.account is not None and not _ACCOUNT.match(self.account):
            message = f"account {self.account!r} is not twelve digits"
            raise SpecError(message)
        if self.repository is not None and not _REPOSITORY.match(self.repository):
            message = (
                f"repository {self.repository!r} is not owner/name; a wildcard would let strangers deploy"
            )
            raise SpecError(message)
        if self.environment is not None and not re.fullmatch(r"[A-Za-z0-9._-]+", self.environment):
            message = f"GitHub environment {self.environment!r} is not a plain name"
            raise SpecError(message)
        if (self.domain is None) != (self.certificate_arn is None):
            message = "a domain needs a certificate_arn, and a certificate_arn a domain"
            raise SpecError(message)
        if (self.hosted_zone_id is None) != (self.hosted_zone_name is None):
            message = "a hosted zone is named by hosted_zone_id and hosted_zone_name together"
            raise SpecError(message)


def read_places(stages: object) -> dict[str, Place]:
    """Read the context key ``stages``: every stage on AWS, configured or not.

    Raises
    ------
    SpecError
        If it names an unknown stage, or an entry is no object of known keys with strings.
    """
    entries = _object(stages, "stages")
    if strange := sorted(set(entries) - set(_KNOWN)):
        message = f"cdk.json configures the unknown stage {strange[0]!r}; there are: {', '.join(_KNOWN)}"
        raise SpecError(message)
    return {stage: _read(_object(entries.get(stage, {}), f"stages.{stage}"), stage) for stage in _KNOWN}


def place_of(stage: str, places: Mapping[str, Place]) -> Place:
    """Give one stage's place.

    Raises
    ------
    SpecError
        If the stage is unknown.
    """
    if stage not in places:
        message = f"unknown stage {stage!r}; on AWS there are: {', '.join(places)}"
        raise SpecError(message)
    return places[stage]


def _read(entry: Mapping[str, object], stage: str) -> Place:
    values: dict[str, str] = {}
    names = [field.name for field in fields(Place)]
    for key, value in entry.items():
        if key not in names:
            message = f"stage {stage}: unknown setting {key!r}; there are: {', '.join(names)}"
            raise SpecError(message)
        if value is None:
            continue
        if not isinstance(value, str):
            message = f"stage {stage}: setting {key} is {value!r}, not a text"
            raise SpecError(message)
        values[key] = value
    return Place(**values)


def _object(value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        message = f"context {name} is not an object"
        raise SpecError(message)
    return value
