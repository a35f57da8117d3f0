"""A text that must not be seen: an API key."""

from __future__ import annotations

import hmac
from typing import NoReturn

MASK = "***"


class Secret:
    """Holds a secret text; every way of printing it gives `***`.

    Example:
        >>> key = Secret("abcdef.0123456789")
        >>> f"{key}"
        '***'
        >>> key.reveal()
        'abcdef.0123456789'
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. Only the line that writes it to the wire should call this."""
        return self._text

    def scrub(self, text: str) -> str:
        """`text` with every occurrence of the secret replaced by `***`."""
        return text.replace(self._text, MASK) if self._text else text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

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
