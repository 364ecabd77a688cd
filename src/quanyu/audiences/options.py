"""Where the choices of a form come from: sources of options, searched while the operator types.

A source is registered by whoever owns the things (tags by profiles, products by commerce); audiences has those of its
own kind here. A source also names keys, for sentences and to tell that a rule points at something that is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from quanyu.access.contracts import Scope
from quanyu.consent import contracts as consent
from quanyu.events import contracts as events
from quanyu.kernel.errors import NotFound
from quanyu.kernel.label import Label, same

MOST = 50


@dataclass(frozen=True, slots=True)
class Option:
    """One choice: its value, its name, and how many (people, products, events) stand behind it, where known."""

    value: str
    label: Label
    count: int | None = None


class OptionSource(Protocol):
    """A searchable list of choices within a scope."""

    def search(self, scope: Scope, q: str, about: Mapping[str, str], limit: int) -> list[Option]:
        """Choices whose key or name contains `q`, the most useful first; `about` narrows (`event`, `trait`)."""
        ...

    def names(self, scope: Scope, keys: Collection[str]) -> Mapping[str, Label]:
        """The names of those of `keys` that exist."""
        ...


class FixedOptions:
    """Choices that are known when the program starts."""

    def __init__(self, labels: Mapping[str, Label]) -> None:
        self._labels = dict(labels)

    def search(self, scope: Scope, q: str, about: Mapping[str, str], limit: int) -> list[Option]:  # noqa: ARG002
        """Those that contain `q`."""
        found = [Option(key, label) for key, label in self._labels.items() if contains(q, key, label)]
        return found[:limit]

    def names(self, scope: Scope, keys: Collection[str]) -> Mapping[str, Label]:  # noqa: ARG002
        """The names of those of `keys` that exist."""
        return {key: self._labels[key] for key in keys if key in self._labels}


# `channels` are those that events come through, `consent_channels` those that people consent to be contacted through.
_FIXED: dict[str, OptionSource] = {
    "channels": FixedOptions(events.CHANNELS),
    "consent_channels": FixedOptions({key: label for key, label in consent.CHANNELS.items() if key != consent.ANY}),
    "purposes": FixedOptions(consent.PURPOSES),
}


class OptionSources:
    """The sources by name."""

    def __init__(self, sources: Mapping[str, OptionSource] | None = None) -> None:
        self._sources: dict[str, OptionSource] = {**_FIXED, **(sources or {})}

    def offer(self, name: str, source: OptionSource) -> None:
        """Register a source; the composition root does, once each."""
        self._sources[name] = source

    def knows(self, name: str) -> bool:
        """Whether there is such a source."""
        return name in self._sources

    def search(self, name: str, scope: Scope, q: str, about: Mapping[str, str], limit: int = MOST) -> list[Option]:
        """Search a source. Raises NotFound for one that nobody offers."""
        source = self._sources.get(name)
        if source is None:
            raise NotFound(
                "option_source_not_found",
                Label("没有这种选项", "There is no such source of options"),
                detail=Label(
                    f"可用的有：{'、'.join(sorted(self._sources))}", f"There are: {', '.join(sorted(self._sources))}"
                ),
            )
        return source.search(scope, q.strip(), about, limit)

    def names(self, name: str, scope: Scope, keys: Collection[str]) -> Mapping[str, Label]:
        """The names of those of `keys` that exist in a source; none where there is no such source."""
        source = self._sources.get(name)
        return {} if source is None or not keys else source.names(scope, keys)


class NameBook:
    """Names looked up in advance, so that writing a sentence asks no store."""

    def __init__(self, names: Mapping[tuple[str, str], Label]) -> None:
        self._names = names

    def of(self, source: str, key: str) -> Label:
        """The name of `key`, or the key itself."""
        return self._names.get((source, key)) or same(key)


def contains(q: str, key: str, label: Label) -> bool:
    """Whether a search text occurs in a key or its name."""
    needle = q.lower()
    return not needle or needle in key.lower() or needle in label.zh.lower() or needle in label.en.lower()
