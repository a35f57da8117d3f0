"""The nodes of a shared spool as the page shows them, and who assigns for the account that is looked at."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlsplit

from dispatcher.daemon.nodes import Nodes, Seen
from dispatcher.daemon.page.history import short
from dispatcher.spool.roster import NodeRecord, Roster

MOST_NODES = 50
MOST_NAMES = 20
"""Accounts that are named beside a node; of the others it says how many there are."""


def nodes_document(nodes: Nodes) -> dict[str, Any] | None:
    """The table of nodes, None for a spool that is one process's alone."""
    if nodes.shared is None:
        return None
    seen = nodes.seen()
    rows = seen.roster.nodes
    return {
        "problem": seen.problem,
        "age_s": short(seen.age_s) if math.isfinite(seen.age_s) else None,
        "leaderless": seen.roster.leaderless[:MOST_NAMES],
        "more": max(0, len(rows) - MOST_NODES),
        "rows": [_row(node, seen.roster, me=nodes.shared.node_id) for node in rows[:MOST_NODES]],
    }


def leader_document(seen: Seen, account: str, *, me: int) -> dict[str, Any] | None:
    """Who assigns for an account: whether it is `here`, its `name` ("": nobody) and `address`; None: not known yet."""
    if not seen.roster.nodes:
        return None
    led = seen.roster.led.get(account)
    if led is None:
        return {"here": False, "name": "", "address": ""}
    return {"here": led[1].id == me, "name": led[1].name, "address": _link(led[1].address)}


def _row(node: NodeRecord, roster: Roster, *, me: int) -> dict[str, Any]:
    leads = [one.account for one in roster.leads.get(node.id, ())]
    report = node.report if node.living else {}
    problems = [
        f"{account}: {line['problem']}" for account, line in report.get("accounts", {}).items() if line["problem"]
    ]
    return {
        "id": node.id,
        "name": node.name,
        "here": node.id == me,
        "state": node.state.value,
        "since_s": short(node.since_s),
        "up_s": short(node.up_s),
        "left_s": None if node.left_s is None else short(max(0.0, node.left_s)),
        "address": _link(node.address) if node.living else "",
        "process": f"{node.pid} on {node.host}",
        "program": node.program,
        "leads": leads[:MOST_NAMES],
        "leads_more": max(0, len(leads) - MOST_NAMES),
        "accepted_per_s": report.get("accepted_per_s"),
        "confirmed_per_s": report.get("confirmed_per_s"),
        "in_flight": report.get("in_flight"),
        "problem": "; ".join(problems),
    }


def _link(address: str) -> str:
    """The address when it is one that a browser may be sent to: it was written by whoever can write to the database."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return address if parts.scheme in {"http", "https"} and parts.hostname and not parts.username else ""
