"""The command line: `dispatcher submit | plan | run | top | sandbox | demo | jobs | dead | spool | config`."""

from __future__ import annotations


def main() -> None:
    """Entry point of the `dispatcher` command."""
    from dispatcher.cli.app import cli  # noqa: PLC0415 - `import dispatcher.cli` costs nothing until it is run

    cli(prog_name="dispatcher")
