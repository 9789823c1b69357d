"""What the guide says that a stage costs standing still, held against what its templates hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from cdk.app import ROOT

if TYPE_CHECKING:
    from tests.infrastructure.conftest import Synth
    from tests.support.cloud import Assembly

GUIDE: Final = ROOT / "docs" / "operations" / "aws.md"
STAGES: Final = ["dev", "staging", "production"]
ALARM_METRIC, COMPOSITE, DASHBOARD, KEY, SECRET = 0.10, 0.50, 3.00, 1.00, 0.40
FIREWALL, FIREWALL_RULE = 5.00, 1.00
KEPT_GB_SECOND: Final = 0.0000041667
HOURS: Final = 730
HOURS_A_DAY: Final = 24


def row(name: str) -> list[str]:
    """Give the cells of a row of the table, bold or not."""
    line = re.search(rf"^\| (?:\*\*)?{name}[^|]*\|(.*)\|$", GUIDE.read_text(), re.MULTILINE)
    assert line, name
    return [cell.strip(" *") for cell in line[1].split("|")]


def count(assembly: Assembly, kind: str) -> int:
    return sum(len(template.of_type(kind)) for template in assembly.stacks())


def alarm_metrics(assembly: Assembly) -> int:
    """Metrics that alarms are billed for; target tracking makes two alarms of its own."""
    found = 2 * count(assembly, "AWS::ApplicationAutoScaling::ScalingPolicy")
    for template in assembly.stacks():
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values():
            queries = alarm["Properties"].get("Metrics")
            found += 1 if queries is None else sum("MetricStat" in query for query in queries)
    return found


def alarms_usd(assembly: Assembly) -> float:
    composites = count(assembly, "AWS::CloudWatch::CompositeAlarm")
    return ALARM_METRIC * alarm_metrics(assembly) + COMPOSITE * composites


def warm_usd(assembly: Assembly) -> float:
    """Price of the provisioned environments, at the lower bound of each hour."""
    total = 0.0
    for function in assembly.spec.functions:
        warmup = function.warmup
        hourly = [warmup.provisioned] * HOURS_A_DAY
        for schedule in sorted(warmup.schedules, key=lambda one: int(one.at.split()[1])):
            begin = int(schedule.at.split()[1])
            hourly[begin:] = [schedule.minimum] * (HOURS_A_DAY - begin)
        if warmup.schedules:  # the night lasts until the first schedule of the next day
            first = min(int(schedule.at.split()[1]) for schedule in warmup.schedules)
            hourly[:first] = [hourly[-1]] * first
        total += sum(hourly) / HOURS_A_DAY * function.memory_mb / 1024 * KEPT_GB_SECOND * 3600 * HOURS
    return total


def firewall_usd(assembly: Assembly) -> float:
    found = 0.0
    for template in assembly.stacks():
        for acl in template.of_type("AWS::WAFv2::WebACL").values():
            found += FIREWALL + FIREWALL_RULE * len(acl["Properties"]["Rules"])
    return found


def fixed_usd(assembly: Assembly) -> float:
    return (
        DASHBOARD * count(assembly, "AWS::CloudWatch::Dashboard")
        + KEY * count(assembly, "AWS::KMS::Key")
        + SECRET * count(assembly, "AWS::SecretsManager::Secret")
    )


@pytest.mark.parametrize("stage", STAGES)
def test_the_table_of_what_a_stage_costs_standing_still_adds_up(synth: Synth, stage: str) -> None:
    assembly, column = synth(stage), STAGES.index(stage)
    wanted = {
        "provisioned concurrency": warm_usd(assembly),
        "firewall": firewall_usd(assembly),
        "alarms": alarms_usd(assembly),
        "dashboard": fixed_usd(assembly),
    }
    said = {name: float(row(name)[column]) for name in wanted}
    assert said == pytest.approx(wanted, abs=0.006)
    assert float(row("together")[column]) == pytest.approx(sum(said.values()), abs=0.006)


def test_the_table_names_the_number_of_metrics(synth: Synth) -> None:
    metrics = ", ".join(str(alarm_metrics(synth(stage))) for stage in STAGES)
    composites = {count(synth(stage), "AWS::CloudWatch::CompositeAlarm") for stage in STAGES}
    assert f"| alarms ({metrics} metrics) and {composites.pop()} composites |" in GUIDE.read_text()
    assert not composites


def test_the_prices_have_a_date() -> None:
    assert re.search(r"\*\*Price date: [^*]*(20\d\d)", GUIDE.read_text())
