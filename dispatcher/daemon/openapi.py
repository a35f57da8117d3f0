"""`GET /openapi.json`: what the daemon's paths take and answer, as OpenAPI 3.1.

`openapi.json` beside this file has the paths and the words. Whatever a type of the program says already (a job's
fields with their ranges, receipts, explanations) is put in from there.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import orjson
from aiohttp import web

from dispatcher import __version__
from dispatcher.daemon.access import Guard
from dispatcher.daemon.replay import Wish
from dispatcher.daemon.reply import json_reply
from dispatcher.model.fields import JobFields
from dispatcher.model.job_object import JOB_DEFAULTS, PERSON_FIELDS
from dispatcher.model.records import Receipt
from dispatcher.model.state import State
from dispatcher.pipeline import Choice, Explanation

DOCUMENT = Path(__file__).with_name("openapi.json")
_REF = "#/components/schemas/{name}"
_KINDS: dict[type, str] = {str: "string", int: "integer", float: "number", list: "array"}

Json = dict[str, Any]


class OpenApi:
    """The handler.

    Args:
        guard: says whether a key is needed.
    """

    def __init__(self, *, guard: Guard) -> None:
        self._guard = guard

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where it answers."""
        return [web.get("/openapi.json", self.answer)]

    async def answer(self, _: web.Request) -> web.Response:
        """The document of this daemon."""
        return json_reply(document(keys=self._guard.asks))


@cache
def document(*, keys: bool) -> Json:
    """The whole document; not to be changed.

    Args:
        keys: whether clients need one; the security of the operations goes otherwise.
    """
    whole: Json = orjson.loads(DOCUMENT.read_bytes())
    whole["info"]["version"] = __version__
    whole["components"]["schemas"] = _merged(_generated(), whole["components"]["schemas"])
    if not keys:
        for path in whole["paths"].values():
            for operation in path.values():
                if isinstance(operation, dict):
                    operation.pop("security", None)
    return whole


def _generated() -> Json:
    """Schemas that the program's own types give."""
    _, found = msgspec.json.schema_components([JobFields, Receipt, Explanation, Choice, Wish], ref_template=_REF)
    schemas: Json = {name: _plain(schema) for name, schema in found.items()}
    job = schemas.pop("JobFields")
    schemas["Job"] = {"properties": job["properties"]}
    schemas["JobObject"] = _job_object()
    schemas["ReplayWish"] = schemas.pop("Wish")
    schemas["State"] = {"enum": [str(state) for state in State]}
    receipt = _answered(schemas["Receipt"], without="note")
    receipt["required"] += ["uidSecondary", "receipt", "decision"]
    explanation = _answered(schemas["Explanation"], without="receipt")
    explanation["properties"]["choice"] = {"anyOf": [{"$ref": _REF.format(name="Choice")}, {"type": "null"}]}
    explanation["required"].append("choice")
    schemas |= {"Receipt": receipt, "Explanation": explanation}
    for name in ("Choice", "Option"):
        schemas[name] = _answered(schemas[name])
    return schemas


def _answered(schema: Json, *, without: str = "") -> Json:
    """A schema of what is answered: every field is there."""
    properties = {name: field for name, field in schema["properties"].items() if name != without}
    for field in properties.values():
        field.pop("default", None)
    return schema | {"properties": properties, "required": list(properties)}


def _job_object() -> Json:
    properties: Json = {name: {"type": _KINDS[type(value)], "default": value} for name, value in JOB_DEFAULTS.items()}
    properties |= {name: {"type": "string"} for name in PERSON_FIELDS}
    properties |= {name: {"type": "integer"} for name in ("tsAssigned", "tsCreated", "tsSaved")}
    return {"properties": properties, "required": sorted({*properties, "id", "uidSecondary"})}


def _plain(schema: Any) -> Any:
    """A generated schema without what only readers of the program need, and with `["integer", "null"]` for a choice."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    told = {name: _plain(value) for name, value in schema.items() if name != "title"}
    if "properties" in told:
        words = attribute_words(told.pop("description", ""))
        for name in told["properties"].keys() & words.keys():
            told["properties"][name] = told["properties"][name] | {"description": words[name]}
    if told.get("default", ...) is None:
        del told["default"]
    options = told.get("anyOf", ())
    if len(options) == 2 and {"type": "null"} in options:
        (other,) = (one for one in options if one != {"type": "null"})
        if isinstance(other.get("type"), str):
            del told["anyOf"]
            told |= other | {"type": [other["type"], "null"]}
    return told


def attribute_words(docstring: str) -> dict[str, str]:
    r"""What the section `Attributes:` of a docstring says of each name, in the words of JSON.

    Example:
        >>> attribute_words("A place.\n\nAttributes:\n    lat, lng: degrees, None\n        for none.")
        {'lat': 'degrees, null for none.', 'lng': 'degrees, null for none.'}
    """
    words: dict[str, str] = {}
    names: list[str] = []
    section = docstring.partition("Attributes:\n")[2].partition("\n\n")[0]
    for line in textwrap.dedent(section).replace("None", "null").replace("True", "true").splitlines():
        if line[:1].isspace():
            for name in names:
                words[name] += f" {line.strip()}"
        else:
            listed, _, said = line.partition(": ")
            names = [name.strip() for name in listed.split(",")]
            words |= dict.fromkeys(names, said.strip())
    return words


def _merged(base: Any, over: Any) -> Any:
    """Objects merged at every depth; where both say something else, the second."""
    if not isinstance(base, Mapping) or not isinstance(over, Mapping):
        return over
    return {
        name: _merged(base[name], over[name]) if name in base and name in over else over.get(name, base.get(name))
        for name in dict.fromkeys([*base, *over])
    }
