"""What the predicates of other contexts import: the words in which a predicate is written."""

from __future__ import annotations

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
from quanyu.audiences.predicates.event_fields import WINDOW_FORM, InWindow, Key, joined
from quanyu.audiences.primitives import Condition, Except, events
from quanyu.audiences.tree import Group, Node, Rule, canonical, dump_tree, group, parse_tree, rule

__all__ = [
    "WINDOW_FORM",
    "Choice",
    "Condition",
    "Evaluator",
    "Except",
    "FixedOptions",
    "FormField",
    "Group",
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
    "StateSets",
    "WrongValue",
    "canonical",
    "contains",
    "dump_tree",
    "events",
    "group",
    "joined",
    "local",
    "never",
    "parse_tree",
    "predicate",
    "registry",
    "rule",
]
