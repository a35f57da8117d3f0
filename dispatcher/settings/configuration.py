"""The settings of a process with several accounts: what holds for all of them, and each account's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from dispatcher.errors import ConfigError
from dispatcher.settings.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that one process is told.

    Attributes:
        process: the settings outside of any account's table: the process's own, and the accounts' defaults.
        accounts: the whole settings of each account by its name, in the order of the file; at least one. Settings of
            the process have the same value in all of them.
        tables: whether they stand in tables of their own.
    """

    process: Settings
    accounts: Mapping[str, Settings]
    tables: bool = True

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """One account, without a table."""
        return cls(process=settings, accounts={settings.account: settings}, tables=False)

    @property
    def only(self) -> Settings:
        """The settings of the one account.

        Raises:
            ConfigError: there are several.
        """
        if len(self.accounts) > 1:
            raise ConfigError(
                f"there are several accounts ({', '.join(self.accounts)}): choose one with --account "
                "(or DISPATCHER_ACCOUNT)"
            )
        return next(iter(self.accounts.values()))
