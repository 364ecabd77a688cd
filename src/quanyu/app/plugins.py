"""Finds plugins, channels and places: folders with a `plugin.toml` here, and distributions with an entry point."""

from __future__ import annotations

import importlib
import importlib.metadata
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from quanyu.kernel.errors import Invalid
from quanyu.kernel.label import Label
from quanyu.sdk import Channel, Config
from quanyu.sdk.channel import ChannelPlugin
from quanyu.sdk.place import FilePlace, PlacePlugin, RowPlace

GROUP = "quanyu.channels"


def channels() -> dict[str, ChannelPlugin]:
    """Every channel by key. Raises Invalid for a folder that is no channel, or a key that is used twice."""
    found: dict[str, ChannelPlugin] = {}
    for package, folder in _folders("quanyu.plugins.channels", GROUP):
        plugin = _read(package, folder)
        if plugin.key in found:
            raise _broken(package, f"key {plugin.key!r} is used twice")
        found[plugin.key] = plugin
    return found


def places() -> dict[str, PlacePlugin]:
    """Every kind of place that imports can read from, by key. Raises Invalid for a folder that is none."""
    found: dict[str, PlacePlugin] = {}
    for package, folder in _folders("quanyu.plugins.connectors", "quanyu.places"):
        manifest = tomllib.loads((folder / "plugin.toml").read_text(encoding="utf-8"))
        if manifest.get("kind") != "place":
            continue
        try:
            config, place = (_load(package, manifest[name]) for name in ("config", "place"))
            key, label = str(manifest["key"]), Label(**manifest["label"])
        except (KeyError, TypeError, AttributeError, ImportError) as error:
            raise _broken(package, f"{type(error).__name__}: {error}") from error
        if not (isinstance(config, type) and issubclass(config, Config)):
            raise _broken(package, "config is no quanyu.sdk.Config")
        if not (isinstance(place, type) and issubclass(place, FilePlace | RowPlace)):
            raise _broken(package, "place is no quanyu.sdk.place.FilePlace or RowPlace")
        if key in found:
            raise _broken(package, f"key {key!r} is used twice")
        found[key] = PlacePlugin(key, label, config, place)
    return found


def _folders(own: str, group: str) -> Iterator[tuple[str, Traversable]]:
    for folder in sorted(files(own).iterdir(), key=lambda item: item.name):
        if folder.is_dir() and (folder / "plugin.toml").is_file():
            yield f"{own}.{folder.name}", folder
    for entry in importlib.metadata.entry_points(group=group):
        yield entry.value, files(entry.value)


def _read(package: str, folder: Traversable) -> ChannelPlugin:
    manifest = tomllib.loads((folder / "plugin.toml").read_text(encoding="utf-8"))
    try:
        config, channel = (_load(package, manifest[name]) for name in ("config", "channel"))
        label, description = (Label(**manifest[name]) for name in ("label", "description"))
        key, owner = str(manifest["key"]), str(manifest["owner"])
    except (KeyError, TypeError, AttributeError, ImportError) as error:
        raise _broken(package, f"{type(error).__name__}: {error}") from error
    if not (isinstance(config, type) and issubclass(config, Config)):
        raise _broken(package, "config is no quanyu.sdk.Config")
    if not (isinstance(channel, type) and issubclass(channel, Channel)):
        raise _broken(package, "channel is no quanyu.sdk.Channel")
    if channel.kind != key:
        raise _broken(package, f"the channel's kind is {channel.kind!r}, its key {key!r}")
    return ChannelPlugin(key, label, description, owner, config, channel)


def _load(package: str, place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(f"{package}.{module}"), name)


def _broken(package: str, why: str) -> Invalid:
    return Invalid(
        "plugin_broken",
        Label(f"插件 {package} 无法加载", f"The plugin {package} cannot be loaded"),
        detail=Label(f"请检查 plugin.toml：{why}", f"Check its plugin.toml: {why}"),
    )
