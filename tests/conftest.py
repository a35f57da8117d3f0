"""What tests of every kind ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import postgres


@pytest.fixture
def dsn() -> Iterator[str]:
    """An empty database."""
    if postgres.MISSING:
        pytest.skip(postgres.MISSING)
    yield postgres.borrow()
    postgres.give_back()
