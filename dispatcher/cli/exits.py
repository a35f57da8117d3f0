"""Exit statuses, and errors as one clear line instead of a traceback."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from dispatcher.errors import DispatcherError

F = TypeVar("F", bound=Callable[..., Any])

OK = 0
NOT_ALL = 1
BAD_INPUT = 2

SHOWN_PROBLEMS = 20


def say(text: str) -> None:
    """A line for the person, on standard error, so that standard output stays for the document."""
    click.echo(text, err=True)


def say_problems(problems: Iterable[object], *, what: str, total: int) -> None:
    """Up to `SHOWN_PROBLEMS` lines, then a count."""
    for shown, problem in enumerate(problems):
        if shown == SHOWN_PROBLEMS:
            break
        say(f"{what}: {problem}")
    if total > SHOWN_PROBLEMS:
        say(f"… and {total - SHOWN_PROBLEMS} more")


def plain_errors(command: F) -> F:
    """End with status 2 and one line when the input, the settings or the spool cannot be used."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except DispatcherError as error:
            say(f"dispatcher: {error}")
            sys.exit(BAD_INPUT)
        except BrokenPipeError:
            sys.exit(NOT_ALL)

    return run  # type: ignore[return-value]
