"""What a predicate is, and the registry of them.

A predicate is a class in a file of its own: its parameters (pydantic fields), the form that the console shows for
them, its sentence in both languages, and `lower(at)`, which says what it means in primitive conditions. It is
checked when it is registered, so a wrong one stops the process from starting rather than an operator from working.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from quanyu.audiences.errors import RuleError
from quanyu.audiences.primitives import Condition
from quanyu.kernel.faults import of_field
from quanyu.kernel.label import Label

FieldType = Literal[
    "event",
    "integer",
    "number",
    "text",
    "select",
    "multiselect",
    "duration",
    "date_range",
    "trait",
    "tag",
    "product",
    "category",
    "store",
    "audience",
    "filters",
    "purpose",
    "channel",
]

# Where the choices of a type come from. Closed sources (below) refuse a value that they do not have.
SOURCE_OF_TYPE: Mapping[str, str] = {
    "event": "events",
    "trait": "traits",
    "tag": "tags",
    "product": "products",
    "category": "categories",
    "store": "stores",
    "audience": "audiences",
    "purpose": "purposes",
    "channel": "channels",
    "filters": "properties",
}
# A product or store that the catalogue lacks can still have been bought, or bought in: those sources are open.
CLOSED_SOURCES = frozenset({"tags", "categories", "audiences", "purposes", "consent_channels"})


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of a select."""

    value: str
    label: Label


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a predicate's form. `end_key` is the second parameter of a date range; `shown_when` names a
    select and the values of it for which the field makes sense.
    """

    key: str
    type: FieldType
    label: Label
    required: bool = True
    default: Any = None
    choices: tuple[Choice, ...] = ()
    low: float | None = None
    high: float | None = None
    options_source: str | None = None
    end_key: str | None = None
    unit: Label | None = None
    multiple: bool = False
    shown_when: tuple[str, tuple[str, ...]] | None = None

    @property
    def source(self) -> str | None:
        """Where the choices come from, or None when they are fixed or free."""
        return self.options_source or SOURCE_OF_TYPE.get(self.type)


class Names(Protocol):
    """How keys are shown to people: an event's label, a tag's name, a product's name."""

    def of(self, source: str, key: str) -> Label:
        """The name of `key` in an options source; the key itself where it has none."""
        ...


class Predicate(BaseModel):
    """The base of every predicate: frozen parameters, a form, a sentence and a meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    label: ClassVar[Label]
    group: ClassVar[Label]
    form: ClassVar[tuple[FormField, ...]]

    def source_of(self, key: str) -> str | None:  # noqa: ARG002
        """Where the choices of the form field `key` come from, for a field where the parameters decide."""
        return None

    def lower(self, at: datetime) -> Condition:
        """What it means at the instant `at`, given in the brand's own time zone."""
        raise NotImplementedError

    def sentence(self, names: Names) -> Label:
        """The rule in words, in both languages."""
        raise NotImplementedError


P = TypeVar("P", bound=type[Predicate])


class PredicateRejected(TypeError):
    """A predicate class that may not be registered, and why."""


class Registry:
    """Predicates by key."""

    def __init__(self) -> None:
        self._classes: dict[str, type[Predicate]] = {}

    def add(self, key: str, cls: type[Predicate]) -> None:
        """Register `cls` under `key`. Raises PredicateRejected when something is missing or taken."""
        if key in self._classes and self._classes[key] is not cls:
            raise PredicateRejected(f"predicate key {key!r} is taken by {self._classes[key].__qualname__}")
        _check(key, cls)
        self._classes[key] = cls

    def get(self, key: str) -> type[Predicate] | None:
        """The class of a key."""
        return self._classes.get(key)

    def items(self) -> list[tuple[str, type[Predicate]]]:
        """Every predicate in the order of registration."""
        return list(self._classes.items())


registry = Registry()


def predicate(key: str) -> Callable[[P], P]:
    """Class decorator: register the predicate under `key`."""

    def register(cls: P) -> P:
        registry.add(key, cls)
        return cls

    return register


def read_rule(
    rule_id: str, key: str, params: Mapping[str, Any], within: Registry = registry
) -> Predicate | list[RuleError]:
    """The predicate of a rule with its parameters, or everything that is wrong with it, at the rule's id."""
    cls = within.get(key)
    if cls is None:
        return [RuleError(rule_id, "predicate", Label(f"没有“{key}”这种条件", f"There is no condition “{key}”"))]
    try:
        return cls.model_validate(dict(params))
    except ValidationError as error:
        return [
            RuleError(rule_id, _place(fault["loc"]), of_field(fault), named(cls, fault["loc"]))
            for fault in error.errors()
        ]


def _place(location: Iterable[Any]) -> str:
    return ".".join(str(part) for part in location)


def named(cls: type[Predicate], location: Sequence[Any]) -> Label:
    """What the form of `cls` calls a place in its parameters: "Did · Times", "Did · Where (2)"."""
    key, *inner = location or ("",)
    field = next((one for one in cls.form if key in (one.key, one.end_key)), None)
    if field is None:
        return cls.label
    which = next((f" ({step + 1})" for step in inner if isinstance(step, int)), "") if field.type == "filters" else ""
    return Label(f"{cls.label.zh} · {field.label.zh}{which}", f"{cls.label.en} · {field.label.en}{which}")


def _check(key: str, cls: type[Predicate]) -> None:
    def refuse(why: str) -> PredicateRejected:
        return PredicateRejected(f"predicate {key!r} ({cls.__qualname__}): {why}")

    if not key.isidentifier() or key != key.lower():
        raise refuse("the key must be a lower-case identifier")
    if not issubclass(cls, Predicate):
        raise refuse("it must derive from Predicate")
    for needed in ("label", "group", "form"):
        if not hasattr(cls, needed):
            raise refuse(f"it lacks `{needed}`")
    for method in ("lower", "sentence"):
        if getattr(cls, method) is getattr(Predicate, method):
            raise refuse(f"it lacks `{method}`")
    if not (cls.__doc__ or "").strip():
        raise refuse("it lacks a docstring")
    params = {field.alias or name for name, field in cls.model_fields.items()}
    shown = [field.key for field in cls.form] + [field.end_key for field in cls.form if field.end_key]
    if len(set(shown)) != len(shown):
        raise refuse("a form field occurs twice")
    if set(shown) != params:
        raise refuse(f"form and parameters differ: {sorted(set(shown) ^ params)}")
    for field in cls.form:
        if field.type not in get_args(FieldType):
            raise refuse(f"field {field.key!r} has the unknown type {field.type!r}")
        if not field.label.zh or not field.label.en:
            raise refuse(f"field {field.key!r} lacks a label in both languages")
        if field.type in {"select", "multiselect"} and not (field.choices or field.options_source):
            raise refuse(f"field {field.key!r} offers no choices")
