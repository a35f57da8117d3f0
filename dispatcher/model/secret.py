"""A text that must not be seen: it shows itself only when asked by name."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """An API key or token. `repr`, `str` and formatting give `***`; pickling is refused; comparing takes constant time.

    Example:
        >>> key = Secret("ABCDEF.1234")
        >>> f"{key} {key!r}"
        '*** ***'
        >>> key.reveal()
        'ABCDEF.1234'
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """The text itself. Call it where the text is needed, and keep the result nowhere."""
        return self.__text

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__text.encode(), other.__text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self.__text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")
