"""Which keys are good, and to which account each leads."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.daemon.passes import passes_of, require_api_keys
from dispatcher.errors import ConfigError
from dispatcher.settings import Configuration, Settings


def configuration(*, tables: bool = True, **accounts: dict[str, Any]) -> Configuration:
    return Configuration(
        process=Settings(),
        accounts={name: Settings(account=name, **own) for name, own in accounts.items()},
        tables=tables,
    )


def keys(of: Configuration) -> set[tuple[str, str, str]]:
    return {(one.account, one.client, one.key.reveal()) for one in passes_of(of)}


def test_one_account_without_a_table_and_keys_of_its_own_lets_everybody_in() -> None:
    assert passes_of(configuration(tables=False, acme={"api_key": "A"})) == []


def test_one_account_in_a_table_asks_for_its_key() -> None:
    """Otherwise the door would open when the last but one account is taken out of the file."""
    assert keys(configuration(acme={"api_key": "A"})) == {("acme", "", "A")}


def test_clients_the_accept_key_and_the_accounts_own_key_are_good() -> None:
    one = configuration(tables=False, acme={"api_key": "A", "accept_key": "B", "clients": {"shop": "C"}})
    assert keys(one) == {("acme", "", "A"), ("acme", "", "B"), ("acme", "shop", "C")}


def test_a_key_that_an_account_has_twice_counts_for_the_client() -> None:
    assert keys(configuration(acme={"api_key": "A", "accept_key": "A", "clients": {"shop": "A"}})) == {
        ("acme", "shop", "A")
    }


@pytest.mark.parametrize("first", [{"api_key": "X"}, {"accept_key": "X"}, {"clients": {"shop": "X"}}])
@pytest.mark.parametrize("second", [{"api_key": "X"}, {"accept_key": "X"}, {"clients": {"depot": "X"}}])
def test_no_key_leads_to_two_accounts_and_none_is_shown(first: dict[str, Any], second: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="accounts acme and beta have the same key") as caught:
        passes_of(configuration(acme=first, beta=second))
    assert "X" not in str(caught.value)


def test_every_account_has_a_key_that_a_client_could_present() -> None:
    with pytest.raises(ConfigError, match="account beta has no key that a client could present"):
        passes_of(configuration(acme={"api_key": "A"}, beta={}))


def test_every_account_must_be_able_to_send() -> None:
    with pytest.raises(ConfigError, match=r"^account beta: no api_key is set"):
        require_api_keys(configuration(acme={"api_key": "A"}, beta={}))
    with pytest.raises(ConfigError, match=r"^no api_key is set"):
        require_api_keys(configuration(beta={}))
