"""`dispatcher nodes`: who works on the spool, and who assigns for which account."""

from __future__ import annotations

import dataclasses
import socket
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli.exits import NOT_ALL, OK, plain_errors, say
from dispatcher.cli.options import configuration_from, setting_options
from dispatcher.cli.rows import json_option, print_json, view_of

if TYPE_CHECKING:
    from dispatcher.spool import SpoolView
    from dispatcher.spool.roster import NodeRecord, NodeState, Roster

DIGITS = 3


@click.command()
@json_option
@setting_options
@plain_errors
def nodes(*, as_json: bool, **options: Any) -> None:
    """Who works on the spool: each process with its lease, what it does, and the accounts that it assigns for.

    On a PostgreSQL database these are all daemons and commands that are there, and daemons that went within the last
    ten minutes and have not come back under their name. A file has one owner.

    Exit status: 0; 1 when nobody works on the spool, or nobody assigns for an account that a daemon stands for; 2 bad
    use, or the spool cannot be looked at.
    """
    from dispatcher.spool import SpoolView  # noqa: PLC0415 - help stays fast

    settings = configuration_from(options).process
    with view_of(settings) as view:
        shared = not isinstance(view, SpoolView)
        roster = _owner(view) if isinstance(view, SpoolView) else view.roster()
        path = str(view.path)
    if as_json:
        print_json(_document(path, roster, shared=shared))
    elif shared:
        _print(path, roster)
    else:
        owner = f"process {roster.nodes[0].pid} works on it" if roster.nodes else "nobody is known to work on it"
        click.echo(f"{path}: a file, which has one owner at a time; {owner}")
    for account in roster.leaderless:
        say(f"nobody assigns for {account}")
    sys.exit(OK if roster.living and not roster.leaderless else NOT_ALL)


def _owner(view: SpoolView) -> Roster:
    """The process that has a file, as the only node."""
    from dispatcher.spool.roster import NodeRecord, Roster  # noqa: PLC0415 - help stays fast

    owner = view.owner()
    if not owner:
        return Roster()
    there = NodeRecord(
        id=0,
        name="",
        host=socket.gethostname(),
        pid=owner,
        program="",
        address="",
        knows_version=view.schema_version,
        up_s=0.0,
        lease_s=0.0,
        left_s=None,
        gone_s=None,
        in_order=False,
        report={},
    )
    return Roster([there])


def _document(path: str, roster: Roster, *, shared: bool) -> dict[str, Any]:
    return {
        "spool": path,
        "shared": shared,
        "nodes": [_as_dict(node, roster) for node in roster.nodes],
        "accounts": {
            account: {"leader": node.name, "node": node.id, "term": one.term, "since_s": round(one.since_s, DIGITS)}
            for account, (one, node) in roster.led.items()
        },
        "leaderless": roster.leaderless,
    }


def _as_dict(node: NodeRecord, roster: Roster) -> dict[str, Any]:
    fields = {
        name: round(value, DIGITS) if isinstance(value, float) else value
        for name, value in dataclasses.asdict(node).items()
    }
    since_s = node.since_s
    return fields | {
        "living": node.living,
        "state": node.state.value,
        "since_s": None if since_s is None else round(since_s, DIGITS),
        "leads": {one.account: round(one.since_s, DIGITS) for one in roster.leads.get(node.id, ())},
    }


def _print(path: str, roster: Roster) -> None:
    from rich.console import Console  # noqa: PLC0415 - help stays fast
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    there = len(roster.living)
    click.echo(f"{path}: {there} node{'' if there == 1 else 's'}")
    if not roster.nodes:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("node", "number", "state", "up", "lease left", "assigns for", "taken in", "through", "in flight"):
        table.add_column(title, justify="right" if title in NUMBERS else "left", overflow="fold")
    for title in ("program", "address", "process"):
        table.add_column(title, overflow="fold")
    for node in roster.nodes:
        table.add_row(*(Text(cell) for cell in _cells(node, roster)))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 220
    console.print(table)
    for node in roster.living:
        for account, line in node.report.get("accounts", {}).items():
            if line.get("problem"):
                click.echo(f"{node.name}, {account}: {line['problem']}")


NUMBERS = {"number", "up", "lease left", "taken in", "through", "in flight"}


def _cells(node: NodeRecord, roster: Roster) -> Iterator[str]:
    report = node.report if node.living else {}
    since_s, left_s = node.since_s, node.left_s
    yield node.name
    yield str(node.id)
    yield node.state.value if since_s is None else _since(node.state, since_s)
    yield span(node.up_s)
    yield "" if left_s is None else f"{max(0.0, left_s):.1f} s"
    yield ", ".join(f"{one.account} ({span(one.since_s)})" for one in roster.leads.get(node.id, ()))
    for rate in ("accepted_per_s", "confirmed_per_s"):
        yield f"{report[rate]:,.1f}/s" if rate in report else ""
    yield str(report.get("in_flight", ""))
    yield node.program
    yield node.address
    yield f"{node.pid} on {node.host}"


def _since(state: NodeState, seconds: float) -> str:
    return f"silent for {span(seconds)}" if state == "silent" else f"{state.value} {span(seconds)} ago"


def span(seconds: float) -> str:
    """A length of time in its two largest units."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600:02} h"
