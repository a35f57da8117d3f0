"""The one place that touches numba, so that its untyped decorators do not spread."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])

_IMPORTS = re.compile(rb"^from engine\.(\w+) import", re.MULTILINE)


def kernel(function: _Function) -> _Function:
    """Compile for speed with exact IEEE arithmetic: cached on disk, without the GIL, no Python objects."""
    compiled = numba.njit(function, cache=True, nogil=True, error_model="numpy")
    file = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if file is not None and hasattr(file, "_source_stamp"):
        file._source_stamp = _stamp(function.__module__)  # noqa: SLF001 - see _stamp
    return cast(_Function, compiled)


def inlined(function: _Function) -> _Function:
    """A small function that becomes part of the kernels that call it.

    Passing the state's dozen arrays to a compiled function counts references, one atomic operation each; in the inner
    loops that costs more than the work itself.
    """
    return cast(_Function, numba.njit(function, nogil=True, error_model="numpy", inline="always"))


@cache
def _stamp(module: str) -> str:
    """A digest over a module of kernels and all modules with kernels that it imports.

    numba trusts a cached kernel as long as the kernel's own file is unchanged, and does not see that one it calls, in
    another file, has changed. With this stamp the cache is right after every edit and upgrade.
    """
    digest = hashlib.sha256()
    seen: set[str] = set()
    waiting = [module.rpartition(".")[2]]
    while waiting:
        name = waiting.pop()
        path = Path(__file__).parent / f"{name}.py"
        if name in seen or not path.is_file():
            continue
        seen.add(name)
        source = path.read_bytes()
        if b"@kernel" in source or b"@inlined" in source or name == "state":
            digest.update(source)
            waiting.extend(found.decode() for found in _IMPORTS.findall(source))
    return digest.hexdigest()
