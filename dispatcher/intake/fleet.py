"""The other input files, saved replies of Hellotracks: members, day routes, company."""

from __future__ import annotations

import os
from typing import Any

import orjson

from dispatcher.intake.errors import InputError
from dispatcher.intake.source import BOM, open_file
from dispatcher.intake.tolerant import tolerant_json


def load_members(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The accounts of a `getaccounts` reply `{"accounts": […]}`, or a bare list of them.

    Raises:
        InputError: the file cannot be read or is something else.
    """
    return _list_in(path, "accounts", "getaccounts")


def load_routes(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The saved jobs of a `getjobs` reply `{"jobs": […]}`, or a bare list of them.

    Raises:
        InputError: the file cannot be read or is something else.
    """
    return _list_in(path, "jobs", "getjobs")


def load_company(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The company of a `getcompany` reply `{"company": {…}}`, or the bare object.

    Raises:
        InputError: the file cannot be read or is something else.
    """
    reply = _reply(path)
    company = reply.get("company", reply) if isinstance(reply, dict) else None
    if not isinstance(company, dict) or (company is reply and not company.keys() & {"uid", "teams_config", "name"}):
        raise InputError(f'{os.fspath(path)}: expected a getcompany reply {{"company": {{…}}}}')
    return company


def _list_in(path: str | os.PathLike[str], name: str, action: str) -> list[dict[str, Any]]:
    reply = _reply(path)
    items = reply.get(name) if isinstance(reply, dict) else reply
    if not isinstance(items, list):
        raise InputError(f'{os.fspath(path)}: expected a {action} reply {{"{name}": […]}} or a list')
    for place, item in enumerate(items):
        if not isinstance(item, dict):
            raise InputError(f"{os.fspath(path)}: element {place} of {name} must be an object")
    return items


def _reply(path: str | os.PathLike[str]) -> Any:
    name = os.fspath(path)
    with open_file(path) as file:
        try:
            text = file.read().removeprefix(BOM)
        except OSError as error:
            raise InputError(f"{name} cannot be read: {error.strerror or error}") from error
    if not text.strip():
        raise InputError(f"{name} is empty")
    try:
        reply = orjson.loads(text)
    except orjson.JSONDecodeError:
        reply = tolerant_json(text, name=name)  # a member with NaN for a place is the engine's to judge
    if isinstance(reply, dict) and reply.get("status", 0) not in {0, "0"}:
        raise InputError(f"{name} is the reply of a call that failed: status {str(reply['status'])[:40]}")
    return reply
