"""What is known of one setting: name, kind, unit, default, range, and where it may be set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass
from typing import Any, Literal

from dispatcher.model.secret import Secret

Kind = Literal["text", "whole", "number", "switch", "list", "skills", "secret", "clients"]
Scope = Literal["account", "process"]

_KINDS: Mapping[str, Kind] = {
    "str": "text",
    "int": "whole",
    "float": "number",
    "bool | None": "switch",
    "tuple[str, ...]": "list",
    "Mapping[str, tuple[str, ...]]": "skills",
    "Secret": "secret",
    "Mapping[str, Secret]": "clients",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingInfo:
    """One setting.

    Attributes:
        name: the TOML key; variable and flag are made from it.
        kind: text, whole, number, switch (true, false or not set), list (of texts), skills (name to list), secret,
            clients (name to secret).
        default: the value when nothing sets it.
        help: what it does, one or two sentences.
        unit: of the number, "" when it has none.
        low, high: bounds of the number, both allowed; None where there is none.
        choices: allowed texts; empty when any is.
        scope: "account" when each account of a daemon may have a value of its own, "process" when there is one for all.
        live: whether a running daemon takes a new value over when it reads its configuration anew.
    """

    name: str
    kind: Kind
    default: Any
    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    scope: Scope = "account"
    live: bool = False

    @property
    def variable(self) -> str:
        """Name of the environment variable."""
        return f"DISPATCHER_{self.name.upper()}"

    @property
    def flag(self) -> str:
        """The flag of the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def where(self) -> str:
        """The places it may be set in, the stronger ones last."""
        return f"{self.name} in the TOML file, {self.variable}, {self.flag} or --set {self.name}=VALUE"

    @property
    def allowed(self) -> str:
        """The allowed values in words, "" when any is good."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.low is not None and self.high is not None:
            return f"from {plain(self.low)} to {plain(self.high)}"
        return ""


def says(
    text: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    scope: Scope = "account",
    live: bool = False,
) -> dict[str, Any]:
    """Metadata of a field of `Settings`; see `SettingInfo`."""
    return {
        "help": text,
        "unit": unit,
        "low": low,
        "high": high,
        "choices": choices,
        "scope": scope,
        "live": live,
    }


def info_of(field: Field[Any]) -> SettingInfo:
    """A field of `Settings` as a `SettingInfo`."""
    default = field.default_factory() if callable(field.default_factory) else field.default
    return SettingInfo(name=field.name, kind=_KINDS[str(field.type)], default=default, **field.metadata)


def plain(value: Any) -> str:
    """A value as it is written in the environment or behind a flag; a secret as `***`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Secret):
        return str(value) if value else ""
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, Mapping):
        import json  # noqa: PLC0415 - only this kind needs it

        entries = {name: str(one) if isinstance(one, Secret) else list(one) for name, one in value.items()}
        return json.dumps(entries, ensure_ascii=False) if value else ""
    return str(value)
