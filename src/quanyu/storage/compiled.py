"""Loops over arrays that NumPy has no call for, as machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function as machine code, made once per installation; it runs beside other threads."""
    return cast(F, numba.njit(cache=True, nogil=True)(function))
