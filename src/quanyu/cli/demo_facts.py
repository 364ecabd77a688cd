"""What a demonstration keeps in its folder, in two files that only their owner can read, and how they are written.

`demo-login.json` is for people: how to sign in. `demo.json` is for the program: keys and secrets that its processes
need again, and whether everything is prepared. No fact stands in both.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from quanyu.app.connectors import APP_ID, CORP_ID
from quanyu.kernel.errors import Conflict
from quanyu.kernel.label import Label

Language = Literal["zh", "en"]
BRAND_NAME = Label("星河超市（演示）", "Starriver Markets (demo)")
LOGIN_FILE, FACTS_FILE = "demo-login.json", "demo.json"


@dataclass(frozen=True, slots=True)
class Login:
    """How to sign in: the owner, and the other roles with the same password."""

    username: str
    password: str
    others: list[str]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a running demonstration needs to know again. `prepared` once everything is loaded and published."""

    language: Language
    shift_weeks: int
    connection: str
    corp_id: str
    corp_secret: str
    app_id: str
    callback_token: str
    callback_aes_key: str
    write_key: str
    kiosk_key: str
    api_key: str
    prepared: bool = False

    def sandbox_environment(self) -> dict[str, str]:
        """The sandbox's corporation, which is the brand, and its secrets, as environment variables."""
        return {
            "QUANYU_SANDBOX_CORP_NAME": BRAND_NAME.text(self.language),
            "QUANYU_SANDBOX_CORP_ID": self.corp_id,
            "QUANYU_SANDBOX_CORP_SECRET": self.corp_secret,
            "QUANYU_SANDBOX_APP_ID": self.app_id,
            "QUANYU_SANDBOX_TOKEN": self.callback_token,
            "QUANYU_SANDBOX_AES_KEY": self.callback_aes_key,
            "QUANYU_SANDBOX_WRITE_KEY": self.write_key,
            "QUANYU_SANDBOX_API_KEY": self.api_key,
        }


def new_facts(language: Language, shift_weeks: int, connection: str) -> Facts:
    """Facts with fresh secrets."""
    return Facts(
        language=language,
        shift_weeks=shift_weeks,
        connection=connection,
        corp_id=CORP_ID,
        corp_secret=secrets.token_urlsafe(32),
        app_id=APP_ID,
        callback_token=secrets.token_hex(12),
        # 43 characters that decode, with the "=" that WeCom leaves out, to 32 bytes.
        callback_aes_key=base64.b64encode(secrets.token_bytes(32)).decode().rstrip("="),
        write_key=f"wk_{secrets.token_hex(24)}",
        kiosk_key=f"wk_{secrets.token_hex(24)}",
        api_key=f"qk_{secrets.token_hex(24)}",
    )


def read_facts(folder: Path) -> Facts | None:
    """The facts kept in a folder, None in one without. Raises Conflict for those of an older version."""
    found = _read(folder / FACTS_FILE)
    try:
        return None if found is None else Facts(**found)
    except TypeError as error:
        raise _outdated(folder) from error


def read_login(folder: Path) -> Login | None:
    """How to sign in, None in a folder without. Raises Conflict for that of an older version."""
    found = _read(folder / LOGIN_FILE)
    try:
        return None if found is None else Login(**found)
    except TypeError as error:
        raise _outdated(folder) from error


def keep(folder: Path, kept: Facts | Login) -> None:
    """Write facts or login to their file."""
    write_private(folder / (FACTS_FILE if isinstance(kept, Facts) else LOGIN_FILE), asdict(kept))


def write_private(path: Path, content: Any) -> None:
    """Write JSON to a file that never exists half-written, nor for a moment readable by others."""
    draft = path.with_name(f"{path.name}.part")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as target:
        json.dump(content, target, ensure_ascii=False, indent=1)
    draft.replace(path)


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _outdated(folder: Path) -> Conflict:
    return Conflict(
        "demo_outdated",
        Label("这个演示目录来自较早的版本", "This demo folder is of an older version"),
        detail=Label(f"{folder}：加 --reset 重新生成", f"{folder}: make it anew with --reset"),
    )
