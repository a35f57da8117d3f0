"""The child process that plants trees: `python -m dispatcher.planting` (see `dispatcher/pipeline/nursery.py`).

A module by itself, so that the child loads nothing but what it needs. Both sides speak in messages: eight bytes of
length, then arrays in numpy's own format.
"""

from __future__ import annotations

import io
import sys
from typing import IO, Any

import numpy as np
import numpy.typing as npt


def serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """Answer places and a leaf size with a tree until the input ends."""
    import sklearn.neighbors  # noqa: F401, PLC0415 - the slow part, before anything is asked for

    from engine import ball_tree  # noqa: PLC0415 - the other side imports this module too

    while True:
        try:
            places, leaf_size = receive(source, 2)
        except EOFError:
            return
        send(sink, *ball_tree(places, int(leaf_size[0])))


def send(sink: IO[bytes], *arrays: npt.NDArray[Any]) -> None:
    """Write one message."""
    message = io.BytesIO()
    for array in arrays:
        np.save(message, array, allow_pickle=False)
    sink.write(len(message.getbuffer()).to_bytes(8, "little") + message.getbuffer())
    sink.flush()


def receive(source: IO[bytes], count: int) -> list[npt.NDArray[Any]]:
    """Read one message of so many arrays.

    Raises:
        EOFError: the other side has gone.
        ValueError: this is no message.
    """
    header = source.read(8)
    if len(header) < 8:
        raise EOFError("the other side has gone")
    size = int.from_bytes(header, "little")
    content = source.read(size)
    if len(content) < size:
        raise EOFError("the other side has gone")
    message = io.BytesIO(content)
    return [np.load(message, allow_pickle=False) for _ in range(count)]


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
