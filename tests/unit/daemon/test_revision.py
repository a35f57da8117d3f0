"""What a new configuration means for a daemon that runs: live settings change, the others stay and are named."""

from __future__ import annotations

from typing import Any

from dispatcher.daemon.revision import revise
from dispatcher.settings import Configuration, Secret, Settings, describe


def configuration(accounts: dict[str, dict[str, Any]], **process: Any) -> Configuration:
    return Configuration(
        process=Settings(**process),
        accounts={name: Settings(**({**process, "account": name, **own})) for name, own in accounts.items()},
    )


def test_the_same_configuration_changes_nothing() -> None:
    both = {"acme": {"limits": "1/s", "clients": {"shop": "A"}}, "beta": {}}
    revision = revise(configuration(both, spool="x.db"), configuration(both, spool="x.db"))
    assert (revision.added, revision.removed, revision.changed, revision.kept) == ((), (), {}, {})
    assert revision.lines() == revision.warnings() == []


def test_live_settings_of_an_account_change_and_others_stay_and_are_named() -> None:
    old = configuration({"acme": {"base_url": "http://127.0.0.1:1", "limits": "1/s"}, "beta": {}})
    new = configuration({"acme": {"base_url": "http://127.0.0.1:2", "limits": "2/s", "api_key": "K"}, "beta": {}})
    revision = revise(old, new)
    acme = revision.configuration.accounts["acme"]
    assert (acme.base_url, acme.limits, acme.api_key) == ("http://127.0.0.1:1", "2/s", Secret("K"))
    assert revision.changed == {"acme": ("api_key", "limits")}
    assert revision.kept == {"acme": ("base_url",)}
    assert revision.warnings() == ["account acme: base_url cannot change before a restart"]


def test_settings_of_the_process_stay_for_new_accounts_too() -> None:
    old = configuration({"acme": {}}, spool="x.db", listen="127.0.0.1:1")
    new = configuration({"acme": {}, "beta": {}}, spool="y.db", listen="127.0.0.1:2")
    revision = revise(old, new)
    assert {one.spool for one in revision.configuration.accounts.values()} == {"x.db"}
    assert revision.configuration.process.listen == "127.0.0.1:1"
    assert revision.kept == {"": ("spool", "listen")}
    assert revision.warnings() == ["spool, listen cannot change before a restart"]


def test_accounts_come_and_go() -> None:
    revision = revise(configuration({"acme": {}, "beta": {}}), configuration({"beta": {}, "gamma": {}}))
    assert (revision.added, revision.removed) == (("gamma",), ("acme",))
    assert list(revision.configuration.accounts) == ["beta", "gamma"]
    assert revision.lines() == ["account gamma is added", "account acme is removed; its jobs stay in the spool"]


def test_what_stays_is_warned_of_until_it_is_taken_back() -> None:
    """The daemon compares with what holds, not with what it read last."""
    old = configuration({"acme": {}}, listen="127.0.0.1:1")
    new = configuration({"acme": {}}, listen="127.0.0.1:2")
    first = revise(old, new)
    assert revise(first.configuration, new).kept == {"": ("listen",)}
    assert revise(first.configuration, old).kept == {}


def test_no_value_is_in_the_words() -> None:
    old = configuration({"acme": {"api_key": "SECRET.1", "clients": {"shop": "SECRET.2"}}})
    new = configuration({"acme": {"api_key": "SECRET.3", "accept_key": "SECRET.4"}}, act_token="SECRET.5")
    revision = revise(old, new)
    assert revision.changed == {"acme": ("api_key", "accept_key", "clients")}
    assert "SECRET" not in " ".join(revision.lines() + revision.warnings())


def test_no_setting_of_the_process_that_runs_the_daemon_is_live() -> None:
    """Were one so, nothing would carry it out: accounts are told of changes, the process is not."""
    assert not [info.name for info in describe() if info.scope == "process" and info.live]
