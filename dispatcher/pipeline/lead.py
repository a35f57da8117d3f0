"""Whether this process decides for an account: alone it does, among several one of them does at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from dispatcher.spool import About, Cluster, Hint

ALONE = -1
"""The term of a process that need not ask anybody."""


class Lead:
    """The right to decide for an account.

    What was decided is fenced by the spool: a decision of a node that was ended is not written. So a process may find
    out late that it does not lead any more. What goes to Hellotracks itself cannot be fenced, see `certain`.

    Args:
        account: its name.
        cluster: the others on the spool; None: there are none.
        needed: False where everybody may decide (policy `none`).
    """

    def __init__(self, account: str, cluster: Cluster | None = None, *, needed: bool = True) -> None:
        self._account = account
        self._cluster = cluster
        self._needed = needed
        self._standing = False
        self._resigning: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Lead {self._account} term {self.term}>"

    @property
    def shared(self) -> bool:
        """Whether others may lead the account."""
        return self._cluster is not None and self._needed

    @property
    def term(self) -> int:
        """Which term this process leads, 0: it does not. Each term begins with a fleet built anew."""
        if self._cluster is None or not self._needed:
            return ALONE
        return self._cluster.term(self._account) if self._standing else 0

    @property
    def held(self) -> bool:
        """Whether it may decide, as far as it knows."""
        return self.term != 0

    @property
    def certain(self) -> bool:
        """Whether nobody else can lead at this moment, by this process's own clock."""
        return self.held and (self._cluster is None or not self._needed or self._cluster.leads(self._account))

    @property
    def leader(self) -> str:
        """Name of the node that leads, as last heard; "" when nobody does, or nobody needs to."""
        return self._cluster.leader(self._account) if self._cluster is not None and self._needed else ""

    def stand(self, *, at_once: bool) -> None:
        """Lead when nobody does: at once, or when it is this node's turn."""
        self._standing = True
        if self._cluster is not None and self._needed:
            self._cluster.stand(self._account, at_once=at_once)

    def step_back(self, steady: asyncio.Lock) -> None:
        """Decide nothing from now on, and let another node lead once `steady` is free; see `resign`."""
        self._standing = False
        task = asyncio.create_task(self._resign(steady), name=f"resign {self._account}")
        self._resigning.add(task)
        task.add_done_callback(self._resigning.discard)

    async def resign(self, steady: asyncio.Lock) -> None:
        """The same, and wait for it.

        Args:
            steady: held by whoever decides, until it is written.
        """
        self._standing = False
        await self._resign(steady)
        await asyncio.gather(*self._resigning, return_exceptions=True)

    async def _resign(self, steady: asyncio.Lock) -> None:
        async with steady:
            if self._cluster is not None and not self._standing:
                await self._cluster.withdraw(self._account)

    def change(self, *, needed: bool, steady: asyncio.Lock) -> None:
        """Everybody decides from now on, or one of them."""
        if needed == self._needed:
            return
        if not needed:
            self.step_back(steady)
        self._needed = needed
        self.stand(at_once=False)

    def watch(self, changed: Callable[[], None], hear: Callable[[Hint], None]) -> Callable[[], None]:
        """Call `changed` when this process has begun or ceased to lead, and `hear` with hints of others on the account.

        The returned function ends it.
        """
        if self._cluster is None:
            return lambda: None

        def changed_here(account: str) -> None:
            if account == self._account:
                changed()

        def hear_here(hint: Hint) -> None:
            if hint.account == self._account:
                hear(hint)

        ends = self._cluster.watch(changed_here), self._cluster.hear(hear_here)

        def end() -> None:
            for one in ends:
                one()

        return end

    def tell(self, about: About, days: Iterable[int] = ()) -> None:
        """Give the other nodes a hint."""
        if self._cluster is not None:
            self._cluster.tell(Hint(self._account, about, tuple(days)))
