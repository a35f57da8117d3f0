"""From what stands in a file, a variable or a flag to a setting's value, checked."""
# ruff: noqa: TRY004 - a ValueError says whatever is wrong with a value, its type too

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from dispatcher.model.secret import Secret
from dispatcher.settings.info import SettingInfo, plain

_WHOLE = re.compile(r"[+-]?[0-9]+(_[0-9]+)*")
_YES = frozenset({"true", "yes", "on", "1"})
_NO = frozenset({"false", "no", "off", "0"})
_UNSET = frozenset({"", "none", "null"})
_CLIENT = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SHIFT = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")


def read_value(info: SettingInfo, value: Any) -> Any:
    """The setting's value in its own type.

    Raises:
        ValueError: what is wrong, without the setting's name; a secret's text is never in it.
    """
    if info.kind == "secret":
        return _secret(value)
    if info.kind == "text":
        if not isinstance(value, str):
            raise ValueError(f"must be a text, not {value!r}")
        _choose(info, value)
    elif info.kind in {"whole", "number"}:
        value = _whole(value) if info.kind == "whole" else _number(value)
        if (info.low is not None and value < info.low) or (info.high is not None and value > info.high):
            raise ValueError(f"must be {info.allowed}, is {plain(value)}")
    elif info.kind == "switch":
        value = _switch(value)
    elif info.kind == "list":
        value = _list(value)
    elif info.kind == "clients":
        value = _clients(value)
    else:
        value = _skills(value)
    check = _CHECKS.get(info.name)
    if check is not None:
        check(value)
    return value


def _choose(info: SettingInfo, value: str) -> None:
    if info.choices and value not in info.choices:
        raise ValueError(f'must be {info.allowed}, not "{value}"')


def _whole(value: Any) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()) and len(value) < 40:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, not {value!r}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise ValueError(f"must be a number, not {value!r}") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"must be a number, not {value!r}")
    return float(value)


def _switch(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    text = value.strip().lower() if isinstance(value, str) else None
    if text in _UNSET:
        return None
    if text in _YES or text in _NO:
        return text in _YES
    raise ValueError(f"must be true, false or empty, not {value!r}")


def _list(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise ValueError(f"must be a list of texts, not {value!r}")


def _skills(value: Any) -> Mapping[str, tuple[str, ...]]:
    wanted = 'such as {"ann@acme.com": ["lift", "gas"]}'
    if isinstance(value, str):
        import json  # noqa: PLC0415 - only this kind needs it

        try:
            value = json.loads(value) if value.strip() else {}
        except ValueError as error:
            raise ValueError(f"must be a JSON object {wanted}: {error}") from None
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a table of lists {wanted}, not {value!r}")
    skills = {}
    for name, names in value.items():
        try:
            skills[str(name)] = _list(names)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return skills


def clients_table(value: Any) -> dict[str, Any]:
    """The clients by name, each with what stands for its key: a text, a secret or a table.

    Raises:
        ValueError: it is no such table, or a name in it cannot be used.
    """
    wanted = 'such as {"shop": "KEY"}'
    if isinstance(value, str):
        import json  # noqa: PLC0415 - only this kind needs it

        try:
            value = json.loads(value) if value.strip() else {}
        except ValueError:  # its words could hold a key
            raise ValueError(f"must be a JSON object {wanted}") from None
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a table {wanted}")
    for name in value:
        if not _CLIENT.fullmatch(str(name)):
            raise ValueError("has a name with other characters than letters, digits, -, _ and ., or with over 64")
    return dict(value)


def _clients(value: Any) -> Mapping[str, Secret]:
    clients = {}
    for name, key in clients_table(value).items():
        try:
            clients[name] = _secret(key)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if not clients[name]:
            raise ValueError(f"{name}: has an empty key")
    return clients


def _secret(value: Any) -> Secret:
    secret = value if isinstance(value, Secret) else Secret(value.strip() if isinstance(value, str) else "")
    if not isinstance(value, Secret | str):
        raise ValueError("must be a text")
    text = secret.reveal()
    if not text.isascii() or not all(" " < letter < "\x7f" for letter in text):
        raise ValueError("must be printable ASCII without spaces, as it travels in a header")
    return secret


def _base_url(value: str) -> None:
    from urllib.parse import urlsplit  # noqa: PLC0415 - a quarter of the time that importing this package takes

    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from None
    if "@" in parts.netloc:
        raise ValueError("must not carry a user or password; the key has a setting of its own")
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError(f'must be a URL such as https://api.hellotracks.com, not "{value}"')
    if "?" in value or "#" in value or any(letter <= " " for letter in value):
        raise ValueError(f'must be a plain URL without query, fragment or spaces, not "{value}"')


def _timezone(value: str) -> None:
    if value == "UTC":
        return
    import zoneinfo  # noqa: PLC0415 - most runs need none

    try:
        zoneinfo.ZoneInfo(value)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError(f'must be an IANA zone such as Europe/Rome, not "{value}"') from None


def _limits(value: str) -> None:
    if value.strip():
        from dispatcher.flow.limits import parse_limits  # noqa: PLC0415 - most of flow control is not needed here

        parse_limits(value)


def _listen(value: str) -> None:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f'must be HOST:PORT such as 127.0.0.1:8080, not "{value}"')
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f'an IPv6 address stands in brackets, such as [::1]:8080, not "{value}"')


def _header(value: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", value):
        raise ValueError(f'must be the name of a header such as Authorization, not "{value}"')


def _default_shift(value: str) -> None:
    match = _SHIFT.fullmatch(value)
    times = (
        [(int(hour), int(minute)) for hour, minute in zip(match.groups()[::2], match.groups()[1::2], strict=True)]
        if match
        else []
    )
    if not times or any(minute > 59 or hour * 60 + minute > 1440 for hour, minute in times):
        raise ValueError(f'must be HH:MM-HH:MM such as 08:00-17:00, not "{value}"')


def _tile_url(value: str) -> None:
    if not value:
        return
    for name in ("{z}", "{x}", "{y}"):
        if name not in value:
            raise ValueError(
                f'must hold {{z}}, {{x}} and {{y}}, as in https://tiles.example/{{z}}/{{x}}/{{y}}.png, not "{value}"'
            )
    plain = value.replace("{z}", "0").replace("{x}", "0").replace("{y}", "0")
    match = re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9._~/%?&=@:+-]*", plain)
    if match is None:
        raise ValueError(f'must be a URL such as https://tiles.example/{{z}}/{{x}}/{{y}}.png, not "{value}"')


def _not_empty(value: str) -> None:
    if not value.strip() or not value.isprintable():
        raise ValueError("must not be empty or hold control characters")


_CHECKS = {
    "base_url": _base_url,
    "timezone": _timezone,
    "limits": _limits,
    "listen": _listen,
    "tile_url": _tile_url,
    "default_shift": _default_shift,
    "hook_header": _header,
    "account": _not_empty,
    "spool": _not_empty,
}
