"""Beside the port: a spool that keeps the limits of the accounts for all processes that share it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from dispatcher.model.slots import Permit, SlotAnswer, SlotAsk
from dispatcher.spool.lent import LentSpool
from dispatcher.spool.port import Spool


class SharedLimits(Protocol):
    """Gives slots, so that all processes together keep to an account's limits."""

    @property
    def permit(self) -> Permit | None:
        """What may be sent while nobody can be asked; None: nothing."""
        ...

    async def ask(self, account: str, question: SlotAsk) -> SlotAnswer:
        """Take slots, and tell what there is to tell, in one round trip. Once answered, a crash forgets nothing.

        Raises:
            SpoolError: no answer. What was told may have been heard, and slots may have been given.
        """
        ...


@runtime_checkable
class KeepsLimits(Protocol):
    """A spool with limits of that kind."""

    @property
    def shared_limits(self) -> SharedLimits:
        """Those of all accounts."""
        ...


def limits_of(spool: Spool) -> SharedLimits | None:
    """The shared limits of a spool that keeps some, be it lent or not."""
    store = spool.store if isinstance(spool, LentSpool) else spool
    return store.shared_limits if isinstance(store, KeepsLimits) else None
