"""Several accounts in one file: the outside gives the defaults, a table says what is different, mistakes are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import ConfigError
from dispatcher.settings import Configuration, Secret, Settings, describe, load_configuration, load_settings

TWO = """
limits = "10/s"
spool = "jobs.db"
api_key = "TOP"

[accounts.acme]
base_url = "http://127.0.0.1:1"
limits = "5/s"

[accounts.beta]
base_url = "http://127.0.0.1:2"
api_key_file = "beta.key"
member_skills = {ann = ["lift"]}
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beta.key").write_text("BETA\n")


def load(toml: str, environ: dict[str, str] | None = None, **options: Any) -> Configuration:
    Path("dispatcher.toml").write_text(toml)
    return load_configuration(environ=environ or {}, **options)


def refusal(toml: str, environ: dict[str, str] | None = None, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(toml, environ, **options)
    return str(caught.value)


def test_an_accounts_table_overrides_what_stands_outside_of_it() -> None:
    both = load(TWO).accounts
    assert list(both) == ["acme", "beta"]
    assert [(one.account, one.limits, one.spool) for one in both.values()] == [
        ("acme", "5/s", "jobs.db"),
        ("beta", "10/s", "jobs.db"),
    ]
    assert [one.base_url for one in both.values()] == ["http://127.0.0.1:1", "http://127.0.0.1:2"]
    assert both["beta"].member_skills == {"ann": ("lift",)}
    assert (both["acme"].origin("limits"), both["acme"].origin("spool")) == (
        "file dispatcher.toml [accounts.acme]",
        "file dispatcher.toml",
    )


def test_a_key_file_of_an_account_replaces_the_key_outside() -> None:
    both = load(TWO).accounts
    assert (both["acme"].api_key, both["beta"].api_key) == (Secret("TOP"), Secret("BETA"))


def test_a_variable_is_for_all_accounts_and_a_table_for_one_and_a_flag_is_strongest() -> None:
    """A key in the environment must not be used for an account that has its own."""
    environ = {"DISPATCHER_LIMITS": "1/s", "DISPATCHER_API_KEY": "ENV"}
    both = load(TWO, environ).accounts
    assert (both["acme"].limits, both["beta"].limits) == ("5/s", "1/s")
    assert (both["acme"].api_key, both["beta"].api_key) == (Secret("ENV"), Secret("BETA"))
    flagged = load(TWO, environ, flags={"limits": "2/s"}).accounts
    assert {one.limits for one in flagged.values()} == {"2/s"}


def test_the_setting_account_picks_one_and_without_it_one_must_be_picked() -> None:
    picked = load(TWO, flags={"account": "beta"})
    assert (list(picked.accounts), picked.only.base_url) == (["beta"], "http://127.0.0.1:2")
    assert load(TWO, {"DISPATCHER_ACCOUNT": "acme"}).only.limits == "5/s"
    assert load_settings(environ={}, overrides={"account": "acme"}).limits == "5/s"
    with pytest.raises(ConfigError, match=r"several accounts \(acme, beta\): choose one with --account"):
        load_settings(environ={})
    assert refusal(TWO, flags={"account": "gamma"}) == (
        "flag --account: there is no account gamma; there are acme, beta"
    )


def test_without_tables_there_is_one_account_which_the_setting_names() -> None:
    one = load('account = "acme"')
    assert (list(one.accounts), one.tables) == (["acme"], False)
    assert load(TWO, flags={"account": "beta"}).tables
    assert load("").only == Settings()


@pytest.mark.parametrize("info", [info for info in describe() if info.scope == "process"], ids=lambda info: info.name)
def test_a_setting_of_the_process_is_refused_in_an_accounts_table(info: Any) -> None:
    message = refusal(f"[accounts.acme]\n{info.name} = 'x'\n")
    assert message.startswith("file dispatcher.toml [accounts.acme]: ")
    assert f"{info.name} is " in message


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[accounts.acme]\nbase_ulr = 'x'", "[accounts.acme]: base_ulr is not a setting; did you mean base_url?"),
        ("[accounts.acme]\nmax_concurrency = 0", "[accounts.acme]: max_concurrency must be from 1"),
        ("[accounts.'a b']\n", "[accounts.a b]: an account's name has letters, digits"),
        ("[accounts.'']\n", "an account's name has letters"),
        ("[accounts.'a/../b']\n", "an account's name has letters"),
        ("accounts = 3", "accounts must hold a table for each account"),
        ("[accounts]", "accounts must hold a table for each account"),
        ("accounts.acme = 3", "[accounts.acme]: must be a table"),
        ("[accounts.acme]\napi_key='x'\napi_key_file='y'", "api_key_file and api_key are both set"),
        ("[accounts.acme]\naccept_key_file='none'", "the accept key file none cannot be read"),
    ],
)
def test_a_mistake_in_an_accounts_table_is_named_with_the_table(toml: str, words: str) -> None:
    assert words in refusal(toml)


def test_clients_have_a_key_or_a_file_that_holds_it_and_neither_is_printed() -> None:
    one = load('[clients]\nshop = "SHOP"\ndepot = {file = "beta.key"}').only
    assert one.clients == {"shop": Secret("SHOP"), "depot": Secret("BETA")}
    assert "SHOP" not in f"{one!r} {one.rows()}"
    assert ("clients", '{"shop": "***", "depot": "***"}', "file dispatcher.toml") in one.rows()
    assert load("", {"DISPATCHER_CLIENTS": '{"shop": "S"}'}).only.clients == {"shop": Secret("S")}


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("clients = 3", "clients must be a table"),
        ("clients = 'SECRET{'", "clients must be a JSON object"),
        ("[clients]\nshop = ''", "clients shop: has an empty key"),
        ("[clients]\nshop = 'SECRET ü'", "clients shop: must be printable ASCII"),
        ("[clients]\nshop = 5", "clients shop: must be a text"),
        ("[clients]\n'a b' = 'SECRET'", "clients has a name with other characters"),
        ("[clients]\nshop = {fiel = 'SECRET'}", "clients.shop must be a key, or {file"),
        ("[clients]\nshop = {file = 'none'}", "the key of the client shop, the file none cannot be read"),
    ],
)
def test_clients_that_cannot_be_used_are_refused_without_showing_a_key(toml: str, words: str) -> None:
    message = refusal(toml)
    assert words in message
    assert "SECRET" not in message
