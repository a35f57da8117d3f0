"""The one place that touches numba, so that its untyped decorators do not spread."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])


def kernel(function: _Function) -> _Function:
    """Compile for speed with exact IEEE arithmetic: cached on disk, without the GIL, no Python objects."""
    compiled = numba.njit(function, cache=True, nogil=True, error_model="numpy")
    file = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if file is not None and hasattr(file, "_source_stamp"):
        file._source_stamp = _STAMP  # noqa: SLF001 - see _stamp
    return cast(_Function, compiled)


def _stamp() -> str:
    """A digest over all files with kernels.

    numba trusts a cached kernel as long as the kernel's own file is unchanged, and does not see that one it calls, in another
    file, has changed. With one stamp for all of them the cache is right after every edit and upgrade.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        source = path.read_bytes()
        if b"@kernel" in source or path.stem == "state":
            digest.update(source)
    return digest.hexdigest()


_STAMP = _stamp()
