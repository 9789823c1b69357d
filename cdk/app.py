"""The CDK app: ``cdk synth -c stage=dev``. It reads ``cdk.json``, checks the spec, and builds the stage's stacks.

An impossible spec, an unknown stage or setting ends the synth with one sentence. What is in a stack is said in
`cdk.stacks`; what the service is, in `cdk.service`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cdk.node import use_bundled_node
from cdk.service import Service, SpecError, service

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aws_cdk

ROOT: Final = Path(__file__).resolve().parent.parent
_FLAGS: Final = {True: True, "true": True, False: False, "false": False, None: False}


def build(
    *,
    context: Mapping[str, Any] | None = None,
    outdir: Path | None = None,
    spec: Service | None = None,
    root: Path = ROOT,
    document: Mapping[str, Any] | None = None,
) -> aws_cdk.App:
    """Build the app for the stage that the context names.

    Parameters
    ----------
    context : mapping, optional
        Context beyond that of the CDK's command line: ``stage``, ``stages``, ``emulated`` and feature flags.
    outdir : Path, optional
        Where the assembly is written.
    spec, root, document : optional
        Another service, project folder or OpenAPI document than the real ones (tests).

    Raises
    ------
    SpecError
        If the stage is unknown, a setting is, or the spec cannot be put on AWS.
    """
    use_bundled_node()
    import aws_cdk as cdk  # noqa: PLC0415 -- starts Node, which must be found first
    import cdk_nag  # noqa: PLC0415

    from cdk.stacks.account import AccountStack  # noqa: PLC0415
    from cdk.stacks.data import DataStack  # noqa: PLC0415
    from cdk.stacks.delivery import DeliveryStack  # noqa: PLC0415
    from cdk.stacks.place import place_of, read_places  # noqa: PLC0415
    from cdk.stacks.service import ServiceStack  # noqa: PLC0415
    from cdk.stacks.warmup import WarmupStack  # noqa: PLC0415

    app = cdk.App(context=context, outdir=str(outdir) if outdir else None, analytics_reporting=False)
    stage = str(app.node.try_get_context("stage"))
    emulated = _flag("emulated", app.node.try_get_context("emulated"))
    places = read_places(app.node.try_get_context("stages"))
    place = place_of(stage, places)
    spec = spec or service(stage)
    if document is None:
        document = json.loads((root / "functions" / "openapi.json").read_text(encoding="utf-8"))
    env = cdk.Environment(account=place.account, region=place.region)
    name = f"trending-now-{stage}"
    data = DataStack(app, f"{name}-data", env=env, service=spec)
    running = ServiceStack(
        app,
        f"{name}-service",
        env=env,
        service=spec,
        place=place,
        data=data.data,
        root=root,
        document=document,
        emulated=emulated,
    )
    stacks: list[cdk.Stack] = [data, running]
    if not emulated:
        # The account's stack is the same whichever stage it is synthesised for: no stage's name, and GitHub's provider
        # as soon as one stage of the account has a repository.
        github = any(other.repository for other in places.values() if other.account == place.account)
        AccountStack(app, "trending-now-account", env=env, github=github)
        if any(function.warmup.provisioned for function in spec.functions):
            warmup = WarmupStack(app, f"{name}-warmup", env=env, service=spec)
            warmup.add_stack_dependency(running, "a rollout has ended before the number changes")
            stacks.append(warmup)
        if place.repository:
            stacks.append(
                DeliveryStack(
                    app,
                    f"{name}-delivery",
                    env=env,
                    stage=stage,
                    repository=place.repository,
                    environment=place.environment or stage,
                )
            )
    cdk.Tags.of(app).add("project", "trending-now")
    for stack in stacks:
        cdk.Tags.of(stack).add("stage", stage)
    cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app), cdk_nag.ServerlessChecks(app))
    return app


def _flag(name: str, value: object) -> bool:
    if isinstance(value, (bool, str, type(None))) and value in _FLAGS:
        return _FLAGS[value]
    message = f"context {name} is {value!r}, neither true nor false"
    raise SpecError(message)


def main() -> None:
    """Synthesise for the CDK's command line; a refused spec is one sentence on stderr and exit status 2."""
    try:
        build().synth()
    except SpecError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
