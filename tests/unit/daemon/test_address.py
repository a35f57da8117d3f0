"""Where the daemon may listen without a key."""

from __future__ import annotations

import pytest

from dispatcher.daemon.address import Address, listening_address
from dispatcher.errors import ConfigError
from dispatcher.settings import Settings


@pytest.mark.parametrize("listen", ["127.0.0.1:80", "127.8.8.8:0", "localhost:8080", "[::1]:8080"])
def test_on_loopback_no_key_is_needed(listen: str) -> None:
    assert listening_address(Settings(listen=listen), keyed=False).loopback


@pytest.mark.parametrize("listen", ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "example.com:80", "localhost.example:80"])
def test_where_others_can_reach_it_a_key_is_needed(listen: str) -> None:
    with pytest.raises(ConfigError, match="accept_key"):
        listening_address(Settings(listen=listen), keyed=False)
    assert not listening_address(Settings(listen=listen), keyed=True).loopback


def test_an_ipv6_address_stands_in_brackets_in_a_url() -> None:
    assert Address("::1", 80).url == "http://[::1]:80"
