"""A text that must not be seen: it shows itself only when asked by name."""

from __future__ import annotations

import hmac
from typing import NoReturn

MASK = "***"


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

    def scrub(self, text: str) -> str:
        """`text` with every occurrence of the secret replaced by `***`."""
        return text.replace(self.__text, MASK) if self.__text else text

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__text.encode(), other.__text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self.__text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


class MaskedText(str):
    """A str that goes to the wire as it is, but whose repr is masked.

    aiohttp keeps the request's headers in its exceptions and in the locals of its frames; error reporters print both.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)


NO_SECRET = Secret("")
