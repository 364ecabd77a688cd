"""Traits, their values and tags as options of forms, over the door of profiles."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from quanyu.access.contracts import Scope
from quanyu.audiences.options import Option, OptionSource
from quanyu.kernel.label import Label
from quanyu.profiles.api import Profiles
from quanyu.profiles.contracts import Choice, trait_label


def profile_options(profiles: Profiles) -> dict[str, OptionSource]:
    """What to offer to forms: traits, trait_values, tags."""
    return {
        "traits": TraitOptions(profiles),
        "trait_values": TraitValueOptions(profiles),
        "tags": TagOptions(profiles),
    }


class TraitOptions:
    """Traits that people of the brand have."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    def search(self, scope: Scope, q: str, about: Mapping[str, str], limit: int) -> list[Option]:  # noqa: ARG002
        """Traits whose name or label contains `q`, the most frequent first."""
        return _options(self._profiles.trait_choices(scope, q, limit), scope)

    def names(self, scope: Scope, keys: Collection[str]) -> Mapping[str, Label]:  # noqa: ARG002
        """The labels of traits; every name has one."""
        return {key: trait_label(key) for key in keys}


class TraitValueOptions:
    """Values of the trait `about["trait"]`."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    def search(self, scope: Scope, q: str, about: Mapping[str, str], limit: int) -> list[Option]:
        """Values that contain `q`, the most frequent first; none of a personal trait."""
        name = about.get("trait", "")
        return _options(self._profiles.trait_value_choices(scope, name, q, limit), scope) if name else []

    def names(self, scope: Scope, keys: Collection[str]) -> Mapping[str, Label]:  # noqa: ARG002
        """A value is its own name."""
        return {key: Label(key, key) for key in keys}


class TagOptions:
    """The brand's tags."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    def search(self, scope: Scope, q: str, about: Mapping[str, str], limit: int) -> list[Option]:  # noqa: ARG002
        """Tags whose name or group contains `q`; their people are counted within the scope."""
        return [Option(one.value, one.label, one.count) for one in self._profiles.tag_choices(scope, q, limit)]

    def names(self, scope: Scope, keys: Collection[str]) -> Mapping[str, Label]:
        """The names of those tags that exist."""
        return self._profiles.tag_names(scope, keys)


def _options(found: Collection[Choice], scope: Scope) -> list[Option]:
    """Numbers of these are of the whole brand, so a narrower scope gets none."""
    return [Option(one.value, one.label, one.count if scope.whole_brand else None) for one in found]
