"""The OpenAPI document says what there is: every path, every field, nothing that leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import schemathesis

from dispatcher.daemon import Daemon
from dispatcher.daemon.openapi import attribute_words, document
from dispatcher.model.fields import rules
from dispatcher.model.state import State
from tests.unit.daemon.test_daemon import settings

OF_THE_PAGE = ("/page/",)
"""What the page asks for is its own business and changes with it."""


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from references(one)


def found(whole: Any, reference: str) -> Any:
    for name in reference.removeprefix("#/").split("/"):
        whole = whole[name]
    return whole


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    whole = document(keys=True)
    used = set(references(whole))
    for reference in used:
        assert found(whole, reference) is not None
    components = {f"#/components/{kind}/{name}" for kind, named in whole["components"].items() for name in named}
    assert components - used == {"#/components/securitySchemes/key"}


def test_the_document_is_openapi() -> None:
    for keys in (True, False):
        schemathesis.openapi.from_dict(document(keys=keys)).validate()


def test_a_jobs_fields_have_the_types_and_ranges_that_are_checked() -> None:
    fields = document(keys=True)["components"]["schemas"]["Job"]["properties"]
    kinds = {"text": "string", "whole": "integer", "number": "number", "list": "array"}
    for name, rule in rules().items():
        low, high = ("minLength", "maxLength") if rule.kind == "text" else ("minimum", "maximum")
        assert fields[name]["type"] == [kinds[rule.kind], "null"], name
        if rule.low is not None:
            assert (fields[name][low], fields[name][high]) == (rule.low, rule.high), name
    assert set(fields) == {*rules(), "id"}


def test_states_and_words_come_from_the_program() -> None:
    schemas = document(keys=True)["components"]["schemas"]
    assert schemas["State"]["enum"] == [str(state) for state in State]
    assert schemas["Option"]["properties"]["worker"]["description"] == "username."
    assert "None" not in str([field.get("description") for field in schemas["Receipt"]["properties"].values()])


def test_attributes_are_read_off_a_docstring() -> None:
    docstring = "A.\n\n    Attributes:\n        a: one.\n        b, c: two\n            and more.\n\n    Later: x"
    assert attribute_words("Nothing of the kind.") == {}
    assert attribute_words(docstring) == {"a": "one.", "b": "two and more.", "c": "two and more."}


async def test_every_path_of_the_daemon_is_in_it_and_no_other(tmp_path: Path) -> None:
    async with Daemon(settings(tmp_path, "http://127.0.0.1:9")) as daemon, aiohttp.ClientSession() as http:
        async with http.get(f"{daemon.url}/openapi.json") as reply:
            whole = await reply.json()
        assert daemon._runner is not None
        routes = [(route, route.resource) for route in daemon._runner.app.router.routes()]
        served = {
            (route.method.lower(), resource.canonical)
            for route, resource in routes
            if resource and route.method != "HEAD" and not resource.canonical.startswith(OF_THE_PAGE)
        }
    methods = {"get", "post", "delete", "put", "patch"}
    told = {(method, path) for path, item in whole["paths"].items() for method in item if method in methods}
    assert told == served
    assert whole["info"]["version"]


async def test_it_says_whether_a_key_is_needed(tmp_path: Path) -> None:
    for key, security in (("", None), ("right", [{"key": []}])):
        async with (
            Daemon(settings(tmp_path, "http://127.0.0.1:9", accept_key=key)) as daemon,
            aiohttp.ClientSession() as http,
            http.get(f"{daemon.url}/openapi.json") as reply,
        ):
            assert (reply.status, reply.content_type) == (200, "application/json")
            assert (await reply.json())["paths"]["/jobs"]["get"].get("security") == security
