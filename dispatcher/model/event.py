"""A log record that is a name and fields: readable as it is, and taken apart by a log that wants the fields."""

from __future__ import annotations


class Event:
    """Something that happened, handed to `logging` in place of a message: `log.info(Event("batch sent", jobs=200))`.

    It costs nothing beyond its fields until a handler wants the text.

    >>> str(Event("batch sent", account="acme", jobs=200, http_status=None))
    'batch sent account=acme jobs=200'

    Attributes:
        name: what happened, in a few words that do not change.
        fields: plain values; None is left out of the text.
    """

    __slots__ = ("fields", "name")

    def __init__(self, name: str, **fields: object) -> None:
        self.name = name
        self.fields = fields

    def __repr__(self) -> str:
        return f"<Event {self}>"

    def __str__(self) -> str:
        return " ".join(
            [self.name, *(f"{name}={_text(value)}" for name, value in self.fields.items() if value is not None)]
        )


def _text(value: object) -> str:
    """A value as one word: quoted when it holds a space, a quote or a control character."""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    plain = text.isprintable() and not any(sign in text for sign in ' "=')
    return text if plain and text else ascii(text) if not text.isprintable() else f'"{text.replace(chr(34), chr(39))}"'
