"""The keys that clients may present, and to which account each leads. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.errors import ConfigError
from dispatcher.model.secret import Secret
from dispatcher.settings import Configuration, Settings


@dataclass(frozen=True, slots=True)
class Pass:
    """A key that lets a client in.

    Attributes:
        account: to which account.
        client: the client's name, for the log; "" when it has none.
        key: what it presents; never empty.
    """

    account: str
    client: str
    key: Secret


def require_api_keys(configuration: Configuration) -> None:
    """Every account must be able to send.

    Raises:
        ConfigError: one has no key for Hellotracks.
    """
    for name, settings in configuration.accounts.items():
        if not settings.api_key:
            where = f"account {name}: " if len(configuration.accounts) > 1 else ""
            raise ConfigError(f"{where}no api_key is set: use the environment (DISPATCHER_API_KEY) or api_key_file")


def passes_of(configuration: Configuration) -> list[Pass]:
    """Every key that is good: each account's clients, its `accept_key` and its Hellotracks key.

    None at all when there is one account, without a table and without keys of the daemon's own: then whoever comes is
    let in. With tables a key is always asked for, so that taking the last but one away does not open the door.

    Raises:
        ConfigError: two accounts have the same key, or one has none.
    """
    accounts = configuration.accounts
    if not configuration.tables and not any(map(_has_own_keys, accounts.values())):
        return []
    passes: list[Pass] = []
    taken: dict[str, tuple[str, str]] = {}
    for name, settings in accounts.items():
        keys = _keys(settings)
        if not keys:
            raise ConfigError(
                f"account {name} has no key that a client could present: set api_key, accept_key or clients for it"
            )
        for setting, client, key in keys:
            other, owner = taken.setdefault(key.reveal(), (setting, name))
            if owner != name:
                raise ConfigError(
                    f"accounts {owner} and {name} have the same key ({other} and {setting}); "
                    "a key must lead to one account"
                )
            if other == setting:
                passes.append(Pass(name, client, key))
    return passes


def _has_own_keys(settings: Settings) -> bool:
    return bool(settings.accept_key or settings.clients)


def _keys(settings: Settings) -> list[tuple[str, str, Secret]]:
    """Setting, client and key; the one that is met first counts when an account has a key twice."""
    keys = [(f"clients.{client}", client, key) for client, key in settings.clients.items()]
    keys += [("accept_key", "", settings.accept_key), ("api_key", "", settings.api_key)]
    return [(setting, client, key) for setting, client, key in keys if key]
