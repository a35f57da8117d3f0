"""What a new configuration means for a daemon that runs: what can change does, the rest stays and is named. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dispatcher.settings import Configuration, Settings, describe

_LIVE = frozenset(info.name for info in describe() if info.live)
_OF_ACCOUNTS = frozenset(info.name for info in describe() if info.scope == "account" and info.name != "account")
_OF_PROCESS = frozenset(info.name for info in describe() if info.scope == "process" and info.name != "account")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A change of the configuration, as far as it can be made now.

    Attributes:
        configuration: what holds afterwards.
        added, removed: names of accounts.
        changed: for each account that stays and changes, the names of the settings that do.
        kept: names of settings that were changed but stay as they are until a restart: the process's under "", those of
            an account under its name.
    """

    configuration: Configuration
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: Mapping[str, tuple[str, ...]]
    kept: Mapping[str, tuple[str, ...]]

    def lines(self) -> list[str]:
        """What happens, in words, without any value."""
        lines = [f"account {name} is added" for name in self.added]
        lines += [f"account {name} is removed; its jobs stay in the spool" for name in self.removed]
        lines += [f"account {name}: {', '.join(names)} changed" for name, names in self.changed.items()]
        return lines

    def warnings(self) -> list[str]:
        """What does not happen, in words."""
        return [
            (f"account {name}: " if name else "") + f"{', '.join(names)} cannot change before a restart"
            for name, names in self.kept.items()
        ]


def revise(old: Configuration, new: Configuration) -> Revision:
    """What becomes of `old` when `new` is read.

    Args:
        old: what holds.
        new: what was read.
    """
    kept: dict[str, tuple[str, ...]] = {}
    own = _different(old.process, new.process, _OF_PROCESS)
    stays = [name for name in own if name not in _LIVE]
    if stays:
        kept[""] = tuple(stays)
    held = {name: getattr(old.process, name) for name in _OF_PROCESS - _LIVE}
    accounts: dict[str, Settings] = {}
    changed: dict[str, tuple[str, ...]] = {}
    for name, settings in new.accounts.items():
        before = old.accounts.get(name)
        if before is None:
            accounts[name] = dataclasses.replace(settings, **held)
            continue
        names = _different(before, settings, _OF_ACCOUNTS)
        stays = [one for one in names if one not in _LIVE]
        if stays:
            kept[name] = tuple(stays)
        if moves := tuple(one for one in names if one in _LIVE):
            changed[name] = moves
        accounts[name] = dataclasses.replace(settings, **held, **{one: getattr(before, one) for one in stays})
    return Revision(
        configuration=dataclasses.replace(new, process=dataclasses.replace(new.process, **held), accounts=accounts),
        added=tuple(name for name in accounts if name not in old.accounts),
        removed=tuple(name for name in old.accounts if name not in accounts),
        changed=changed,
        kept=kept,
    )


def _different(old: Settings, new: Settings, names: Iterable[str]) -> list[str]:
    """In the order in which settings are listed."""
    among = set(names)
    return [
        info.name for info in describe() if info.name in among and getattr(old, info.name) != getattr(new, info.name)
    ]
