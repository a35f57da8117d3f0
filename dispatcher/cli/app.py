"""The command group. Each command's module is imported when the command is called, so that `--help` answers at once."""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

import click

from dispatcher import __version__

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class LazyGroup(click.Group):
    """A group that knows its commands by name and one line, and imports them on use."""

    homes: ClassVar[dict[str, tuple[str, str]]] = {
        "submit": (
            "dispatcher.cli.submit:submit",
            "Accept, assign and send the jobs of a file; wait for every outcome.",
        ),
        "plan": ("dispatcher.cli.plan:plan", "Dry run: who would get which job, and why not. Sends nothing."),
        "run": ("dispatcher.cli.run:run", "The daemon: an address that takes createjobs as Hellotracks does."),
        "top": ("dispatcher.cli.top:top", "Watch a running daemon in the terminal."),
        "nodes": ("dispatcher.cli.nodes:nodes", "Who works on the spool, and who assigns for which account."),
        "sandbox": ("dispatcher.cli.sandbox:sandbox", "A local server that speaks the Hellotracks API."),
        "demo": ("dispatcher.cli.demo:demo", "20 000 jobs through the whole pipeline, against a sandbox of its own."),
        "jobs": ("dispatcher.cli.jobs:jobs", "Look at jobs in the spool; take back or change one before it is sent."),
        "dead": ("dispatcher.cli.dead:dead", "Jobs that did not get through: list, replay, export, edit."),
        "spool": (
            "dispatcher.cli.spool:spool",
            "Care of the spool's file: check, stats, vacuum, prune, export, migrate.",
        ),
        "config": ("dispatcher.cli.config:config", "Check and show the settings."),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        home = self.homes.get(cmd_name)
        if home is None:
            return None
        module, _, name = home[0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.homes.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(f"{error.message} Commands: {', '.join(self.homes)}.", ctx) from None


@click.command(cls=LazyGroup, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="dispatcher")
def cli(**_: Any) -> None:
    """Push jobs into Hellotracks fast and safely, each to the nearest member who can really take it.

    Exit status: 0 all well, 1 some job was not confirmed, 2 bad use or bad input.
    """
