"""Mount subcommands without importing them: the group knows their names and help, the module comes when one is called.

A mount names ``module:attribute``; the attribute is a `typer.Typer` (a group of commands) or a function with
typer-annotated parameters (one command). This module must not know which subcommands there are.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Mount:
    """One subcommand: where its code is, and the line that ``--help`` shows for it.

    Parameters
    ----------
    target : str
        ``module:attribute``.
    help : str
        One sentence; a test holds it to the first sentence of the target's own help.
    """

    target: str
    help: str


def load(name: str, mount: Mount) -> Any:  # noqa: ANN401 -- typer keeps its command classes private
    """Import a mounted subcommand and give the command that typer makes of it."""
    module_name, _, attribute = mount.target.partition(":")
    target = getattr(importlib.import_module(module_name), attribute)
    if isinstance(target, typer.Typer):
        command = get_command(target)
    else:
        single = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)
        single.command(name)(target)
        command = get_command(single)
    command.name = name
    return command


class LazyGroup(TyperGroup):
    """A group whose subclass names its subcommands in ``mounts``; give the subclass to ``typer.Typer(cls=...)``.

    Until a subcommand is called, a bare command stands in for it: enough for ``--help``, for completion of its name and
    for "did you mean".
    """

    mounts: ClassVar[Mapping[str, Mount]] = {}

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 -- handed through to typer as it is
        super().__init__(**attributes)
        for name, mount in self.mounts.items():
            self.add_command(TyperCommand(name, help=mount.help))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 -- typer's private types
        """Put the real command in the place of its stand-in, then let typer find it."""
        if args and args[0] in self.mounts:
            self.add_command(load(args[0], self.mounts[args[0]]), args[0])
        return super().resolve_command(ctx, args)
