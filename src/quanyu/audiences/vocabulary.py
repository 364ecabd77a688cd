"""What the predicates of other contexts import: the words in which a predicate is written."""

from __future__ import annotations

from quanyu.audiences.bitmaps import from_ids, to_ids
from quanyu.audiences.evaluator import Evaluator, StateSets, local, never
from quanyu.audiences.options import FixedOptions, Option, OptionSource, OptionSources, contains
from quanyu.audiences.predicate import (
    Choice,
    FormField,
    Names,
    Predicate,
    Registry,
    WrongValue,
    predicate,
    registry,
)
from quanyu.audiences.predicates.event_fields import (
    PLACE_FORM,
    WINDOW_FORM,
    InPlace,
    InWindow,
    Key,
    joined,
    narrowed,
)
from quanyu.audiences.primitives import Condition, Every, Except, SetMember, Some, events
from quanyu.audiences.tree import Group, Node, Rule, canonical, dump_tree, group, parse_tree, rule

__all__ = [
    "PLACE_FORM",
    "WINDOW_FORM",
    "Choice",
    "Condition",
    "Evaluator",
    "Every",
    "Except",
    "FixedOptions",
    "FormField",
    "Group",
    "InPlace",
    "InWindow",
    "Key",
    "Names",
    "Node",
    "Option",
    "OptionSource",
    "OptionSources",
    "Predicate",
    "Registry",
    "Rule",
    "SetMember",
    "Some",
    "StateSets",
    "WrongValue",
    "canonical",
    "contains",
    "dump_tree",
    "events",
    "from_ids",
    "group",
    "joined",
    "local",
    "narrowed",
    "never",
    "parse_tree",
    "predicate",
    "registry",
    "rule",
    "to_ids",
]
