"""What ``cdk.json`` says about the stages is read strictly: a slip of the pen stops the synthesis with a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from cdk.service import SpecError
from cdk.stacks.place import Place, place_of, read_places

CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/1"


def test_every_stage_on_aws_has_a_place_configured_or_not() -> None:
    places = read_places({"dev": {"account": "111122223333", "region": None}})
    assert list(places) == ["dev", "staging", "production"]
    assert places["dev"] == Place(account="111122223333")
    assert place_of("staging", places) == Place()


def test_what_belongs_together_is_taken_together() -> None:
    entry = {
        "domain": "api.example.org",
        "certificate_arn": CERTIFICATE,
        "hosted_zone_id": "Z1",
        "hosted_zone_name": "example.org",
        "repository": "owner/name",
        "environment": "production-eu",
    }
    assert read_places({"production": entry})["production"] == Place(**entry)


@pytest.mark.parametrize(
    ("stages", "sentence"),
    [
        ([], "context stages is not an object"),
        ({"dev": "here"}, "context stages.dev is not an object"),
        ({"prod": {}}, "cdk.json configures the unknown stage 'prod'; there are: dev, staging, production"),
        ({"local": {}}, "cdk.json configures the unknown stage 'local'; there are: dev, staging, production"),
        ({"dev": {"account": 111122223333}}, "stage dev: setting account is 111122223333, not a text"),
        ({"dev": {"account": "1111"}}, "account '1111' is not twelve digits"),
        (
            {"dev": {"repository": "owner/*"}},
            "repository 'owner/*' is not owner/name; a wildcard would let strangers deploy",
        ),
        ({"dev": {"environment": "pro:*"}}, "GitHub environment 'pro:*' is not a plain name"),
        (
            {"dev": {"domain": "api.example.org"}},
            "a domain needs a certificate_arn, and a certificate_arn a domain",
        ),
        (
            {"dev": {"certificate_arn": CERTIFICATE}},
            "a domain needs a certificate_arn, and a certificate_arn a domain",
        ),
        (
            {"dev": {"hosted_zone_id": "Z1"}},
            "a hosted zone is named by hosted_zone_id and hosted_zone_name together",
        ),
    ],
)
def test_a_place_that_cannot_be_used_is_refused(stages: Any, sentence: str) -> None:
    with pytest.raises(SpecError) as refused:
        read_places(stages)
    assert str(refused.value) == sentence


def test_an_unknown_setting_is_named_with_those_that_there_are() -> None:
    with pytest.raises(
        SpecError, match=r"^stage dev: unknown setting 'acount'; there are: account, region, "
    ):
        read_places({"dev": {"acount": "111122223333"}})


def test_a_stage_that_is_not_on_aws_has_no_place() -> None:
    with pytest.raises(
        SpecError, match=r"^unknown stage 'local'; on AWS there are: dev, staging, production$"
    ):
        place_of("local", read_places({}))
