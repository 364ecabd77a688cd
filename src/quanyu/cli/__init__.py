"""The command line: `quanyu demo | serve | worker | init | load | doctor | migrate | openapi`.

Exit codes: 0 done, 1 failed (the message says what to do), 2 wrong usage, 3 checks found something to mend.
"""

from __future__ import annotations

from quanyu.cli.main import main

__all__ = ["main"]
