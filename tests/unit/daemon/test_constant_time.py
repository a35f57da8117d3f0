"""A key is compared with every key there is, whole, whichever it is: how long it takes tells nothing."""

from __future__ import annotations

import hmac
from typing import Any, cast

import pytest

from dispatcher.daemon.access import Guard
from dispatcher.daemon.desk import Desk
from dispatcher.daemon.passes import Pass
from dispatcher.daemon.reply import Refusal
from dispatcher.model.secret import Secret


def test_every_key_is_compared_with_texts_of_one_length_whatever_is_presented(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def counted(one: Any, other: Any) -> bool:
        lengths.append((len(one), len(other)))
        return compare(one, other)

    monkeypatch.setattr("dispatcher.daemon.access.hmac.compare_digest", counted)
    keys = ["first", "a much longer key than the others have", "last"]
    guard = Guard([Pass("a", "", Secret(key)) for key in keys], desks={"a": cast("Desk", object())})
    seen = []
    for presented in (*keys, "wrong", "firs", "firstt", "x" * 5000, "ü", None):
        lengths.clear()
        if presented in keys:
            guard.admit(presented)
        else:
            with pytest.raises(Refusal) as refused:
                guard.admit(presented)
            assert (refused.value.http_status, refused.value.message) == (401, "unauthorized")
        seen.append(tuple(lengths))
    assert set(seen) == {((32, 32),) * 3}
