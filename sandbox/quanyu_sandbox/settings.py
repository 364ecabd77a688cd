"""What a sandbox is told when it starts. Secrets may come through the environment, so that no process list shows them.

Nothing here changes while it runs; what a test changes (faults, limits, customers) lives in the store.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """One corporation, its callback, where the brand's own interfaces are, and how fast people live.

    `auto`: customers act by themselves; without it only staff do (and only a finger on the phone page reads).
    `opening`: so many customers come in the first minute after the shops first open, and a fifth as many new ones
    add a guide, whatever the speed. `confirm`: staff confirm their mass-message tasks by themselves. `virtual`: time
    stands still until a tick moves it, and customers act; otherwise time is the machine's. `speed` divides every
    delay of people in real time, so that a day of reading passes in minutes. Delays ending in `_seconds` are means.
    """

    data: Path
    seed: int = 7
    corp_id: str = "wwdemo0000corp0000"
    corp_name: str = "全域演示品牌"
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
    opening: int = 0
    confirm: bool = True
    virtual: bool = False
    start_at: float = 0.0  # of a virtual clock, seconds since 1970; 0 = when the data folder was made

    confirm_seconds: float = 12.0
    read_seconds: float = 120.0
    open_seconds: float = 15.0
    redeem_seconds: float = 300.0

    cap: str = "month"  # a customer's mass messages: as many as the month has days, or "week" 7, or "day" 1
    dispatch_seconds: float = 0.5
    token_seconds: int = 7200
    welcome_seconds: float = 20.0
    developer_bound: bool = True  # without a bound WeChat developer id WeCom shows no unionid
    rate_per_minute: int = 10_000
    rate_per_hour: int = 150_000
    max_concurrency: int = 0
    trusted_ips: tuple[str, ...] = ()
    callback_timeout: float = 5.0
    callback_pause: float = 0.5

    def __post_init__(self) -> None:
        if self.speed <= 0:
            raise ValueError(f"speed is {self.speed}: it divides delays, give a number above 0")
        if self.cap not in ("day", "week", "month"):
            raise ValueError(f"cap is {self.cap!r}: give day, week or month")
        if self.callback_url and len(self.aes_key) != 43:
            raise ValueError(f"aes_key has {len(self.aes_key)} characters: an EncodingAESKey has 43")

    @classmethod
    def from_environment(cls, data: Path, env: Mapping[str, str] | None = None, **given: object) -> SandboxSettings:
        """Settings from `QUANYU_SANDBOX_*` variables, overridden by whatever is given and not None.

        Raises ValueError for a value that makes no sense.
        """
        source = os.environ if env is None else env
        values: dict[str, object] = {}
        for field in fields(cls):
            text = source.get(f"QUANYU_SANDBOX_{field.name.upper()}")
            if text is not None and field.name != "data":
                values[field.name] = _read(field.name, field.default, text)
        values.update({key: value for key, value in given.items() if value is not None})
        return cls(data=data, **values)  # type: ignore[arg-type]


def _read(name: str, default: object, text: str) -> object:
    try:
        if isinstance(default, bool):
            return text.strip().lower() in ("1", "true", "yes", "on")
        if isinstance(default, int | float):
            return type(default)(text)
    except ValueError:
        raise ValueError(f"QUANYU_SANDBOX_{name.upper()} is {text!r}: a number is wanted") from None
    return tuple(part for part in text.split(",") if part) if isinstance(default, tuple) else text
