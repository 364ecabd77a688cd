"""What a sandbox is told when it starts. Secrets come through the environment, never as arguments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """One corporation, its callback, and where the brand's own interfaces are.

    `speed` divides every delay of people, so that a day of reading passes in minutes.
    """

    data: Path
    seed: int = 7
    corp_id: str = "wwdemo0000corp0000"
    corp_secret: str = "sandbox-secret"  # noqa: S105 - the secret of a play-world
    agent_id: str = "1000002"
    app_id: str = "wx0000demo0000mini"
    callback_url: str = ""
    token: str = ""
    aes_key: str = ""
    collector_url: str = ""
    write_key: str = ""
    api_url: str = ""
    api_key: str = ""
    speed: float = 1.0
    auto: bool = False
    confirm: bool = True

    @classmethod
    def from_environment(cls, data: Path, env: Mapping[str, str] | None = None, **given: object) -> SandboxSettings:
        """Settings from `QUANYU_SANDBOX_*` variables, overridden by whatever is given and not None."""
        source = os.environ if env is None else env
        values: dict[str, object] = {}
        for name in (
            "corp_id", "corp_secret", "app_id", "callback_url", "token", "aes_key",
            "collector_url", "write_key", "api_url", "api_key",
        ):  # fmt: skip
            if f"QUANYU_SANDBOX_{name.upper()}" in source:
                values[name] = source[f"QUANYU_SANDBOX_{name.upper()}"]
        values.update({key: value for key, value in given.items() if value is not None})
        return cls(data=data, **values)  # type: ignore[arg-type]
