"""Every setting of the product, declared once: name, type, default and a help line in both languages.

A value comes from the environment (`QUANYU_<NAME>`), else from `quanyu.toml` in the data folder or the
working directory, else from the default. The reference in `docs/` is generated from this list.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quanyu.kernel.errors import Invalid
from quanyu.kernel.label import Label


@dataclass(frozen=True, slots=True)
class Setting:
    """One declared setting; `secret` values are never shown or logged."""

    name: str
    type: type
    default: Any
    help: Label
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"QUANYU_{self.name.upper()}"


SETTINGS: tuple[Setting, ...] = (
    Setting("data_dir", str, "quanyu-data", Label("数据目录", "Folder of all data")),
    Setting(
        "database_url",
        str,
        "",
        Label(
            "状态库地址；留空为数据目录里的 SQLite，PostgreSQL 写 postgresql://用户@主机/库",
            "State store; empty means SQLite in the data folder, postgresql://user@host/db for PostgreSQL",
        ),
        secret=True,
    ),
    Setting(
        "master_key",
        str,
        "",
        Label(
            "主密钥（base64 的 32 字节）；留空则在数据目录生成 master.key 文件",
            "Master key (32 bytes in base64); empty means a generated file master.key in the data folder",
        ),
        secret=True,
    ),
    Setting("host", str, "127.0.0.1", Label("监听地址", "Address to listen on")),
    Setting("port", int, 8600, Label("监听端口", "Port to listen on")),
    Setting(
        "public_url",
        str,
        "",
        Label("对外网址，用于链接与回调", "Public address, used in links and callbacks"),
    ),
    Setting(
        "secure_cookies",
        bool,
        False,
        Label("仅在 HTTPS 下发送登录 Cookie", "Send the session cookie over HTTPS only"),
    ),
    Setting("session_hours", int, 12, Label("登录有效小时数", "Hours until a session ends")),
    Setting("log_level", str, "info", Label("日志级别", "Log level")),
    Setting(
        "max_body_bytes",
        int,
        10_000_000,
        Label("采集请求体上限（字节，解压后）", "Largest collector body in bytes, after decompression"),
    ),
    Setting(
        "max_backlog_bytes",
        int,
        8_000_000_000,
        Label(
            "大流量来源的事件最多可积压的字节数（压缩后）；超过则返回 429，其他来源照常接收",
            "Compressed bytes of sources that flood that may wait; past it they get 429, others are accepted as always",
        ),
    ),
    Setting(
        "max_import_bytes",
        int,
        200_000_000,
        Label("导入文件大小上限（字节）", "Largest file to import in bytes"),
    ),
    Setting(
        "import_folders",
        str,
        "",
        Label(
            "可被监视的文件夹，用英文冒号分隔；数据目录下的 inbox/<品牌> 总是可以",
            "Folders that may be watched, parted by colons; inbox/<brand> in the data folder always may",
        ),
    ),
    Setting(
        "allow_private_urls",
        bool,
        False,
        Label(
            "允许向内网地址发出请求（仅本地沙箱使用）",
            "Allow outgoing calls to private addresses (sandbox only)",
        ),
    ),
    Setting(
        "history_flush_seconds",
        float,
        1.0,
        Label("历史库写入间隔秒数", "Seconds between writes to history"),
    ),
    Setting("demo", bool, False, Label("演示模式，显示演示登录", "Demo mode: shows the demo login")),
    Setting("sandbox_url", str, "", Label("微信沙箱地址（演示）", "Address of the WeChat sandbox (demo)")),
)

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


@dataclass(frozen=True, slots=True)
class Settings:
    """The values in force, and where each came from (`env`, `file` or `default`)."""

    values: Mapping[str, Any]
    origins: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
        """Read the environment and `quanyu.toml`; raise Invalid for a value or a name that is wrong."""
        env = os.environ if environment is None else environment
        given = dict(overrides or {})
        data_dir = str(given.get("data_dir") or env.get("QUANYU_DATA_DIR") or _BY_NAME["data_dir"].default)
        file = _read_file([Path(data_dir) / "quanyu.toml", Path("quanyu.toml")])
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for setting in SETTINGS:
            if given.get(setting.name) is not None:
                values[setting.name], origins[setting.name] = given[setting.name], "option"
            elif setting.variable in env:
                values[setting.name] = _parse(setting, env[setting.variable])
                origins[setting.name] = "env"
            elif setting.name in file:
                values[setting.name] = _parse(setting, str(file[setting.name]))
                origins[setting.name] = "file"
            else:
                values[setting.name], origins[setting.name] = setting.default, "default"
        return cls(values, origins)

    def __getattr__(self, name: str) -> Any:
        """The value of the setting `name`."""
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def data_path(self) -> Path:
        """The data folder as an absolute path."""
        return Path(str(self.values["data_dir"])).absolute()

    @property
    def state_url(self) -> str:
        """The SQLAlchemy address of the state store."""
        url = str(self.values["database_url"])
        if not url:
            return f"sqlite:///{self.data_path / 'state.sqlite'}"
        for short in ("postgres://", "postgresql://"):
            if url.startswith(short):
                return "postgresql+psycopg://" + url[len(short) :]
        return url


def _read_file(paths: list[Path]) -> dict[str, Any]:
    for path in paths:
        if path.is_file():
            try:
                loaded = tomllib.loads(path.read_text(encoding="utf-8"))
            except tomllib.TOMLDecodeError as error:
                raise Invalid(
                    "settings_unreadable",
                    Label("配置文件无法读取", "The settings file cannot be read"),
                    detail=Label(f"{path}：{error}", f"{path}: {error}"),
                ) from error
            unknown = sorted(set(loaded) - set(_BY_NAME))
            if unknown:
                raise Invalid(
                    "setting_unknown",
                    Label("配置文件里有未知的配置项", "The settings file names unknown settings"),
                    detail=Label(f"{path}：{', '.join(unknown)}", f"{path}: {', '.join(unknown)}"),
                )
            return loaded
    return {}


def _parse(setting: Setting, text: str) -> Any:
    try:
        if setting.type is bool:
            lowered = text.strip().lower()
            if lowered in _TRUE:
                return True
            if lowered in _FALSE:
                return False
            raise ValueError(text)
        return setting.type(text)
    except ValueError as error:
        raise Invalid(
            "setting_invalid",
            Label(f"配置项 {setting.variable} 的值不对", f"The value of {setting.variable} is wrong"),
            detail=Label(
                f"需要 {setting.type.__name__}，得到的是 {text!r}",
                f"Wanted {setting.type.__name__}, got {text!r}",
            ),
        ) from error
