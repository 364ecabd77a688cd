"""A tree in words, and what is wrong with it beyond its shape: rules that point at things that are gone.

Both need names from the option sources, so both look them up here, once per source and tree.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from quanyu.access.contracts import Scope
from quanyu.audiences.errors import RuleError, TreeInvalid
from quanyu.audiences.evaluator import local, lower
from quanyu.audiences.options import NameBook, OptionSources
from quanyu.audiences.predicate import CLOSED_SOURCES, FormField, Predicate, Registry, named, registry
from quanyu.audiences.tree import Group, Node, parse_tree
from quanyu.kernel.label import Label

_JOIN = {"and": Label("且", "and"), "or": Label("或", "or")}


class Words:
    """Reads trees for people: checks them and says them."""

    def __init__(self, sources: OptionSources, within: Registry = registry) -> None:
        self._sources = sources
        self._registry = within

    def check(self, data: Any, scope: Scope, at: datetime) -> tuple[Node, Label]:
        """The parsed tree and its sentence. Raises TreeInvalid with every fault that can be found."""
        tree = parse_tree(data)
        read = lower(tree, local(at, scope), self._registry).rules
        book, gone = self._names(read, scope)
        if gone:
            raise TreeInvalid(gone)
        return tree, say(tree, read, book)

    def sentence(self, data: Any, scope: Scope, at: datetime) -> Label:
        """The sentence of a stored tree; keys stand in for names of things that are gone."""
        tree = parse_tree(data)
        read = lower(tree, local(at, scope), self._registry).rules
        return say(tree, read, self._names(read, scope)[0])

    def _names(self, read: dict[str, Predicate], scope: Scope) -> tuple[NameBook, list[RuleError]]:
        pointed = [(rule_id, source, field, key) for rule_id, p in read.items() for source, field, key in references(p)]
        by_source: dict[str, set[str]] = {}
        for _, source, _, key in pointed:
            by_source.setdefault(source, set()).add(key)
        names = {
            (source, key): label
            for source, keys in by_source.items()
            for key, label in self._sources.names(source, scope, keys).items()
        }
        gone = [
            RuleError(
                rule_id,
                field,
                Label(f"“{key}”不存在或已删除", f"“{key}” does not exist or was deleted"),
                named(type(read[rule_id]), (field,)),
            )
            for rule_id, source, field, key in pointed
            if source in CLOSED_SOURCES and self._sources.knows(source) and (source, key) not in names
        ]
        return NameBook(names), gone


def references(read: Predicate) -> Iterable[tuple[str, str, str]]:
    """(source, form field, key) of everything that a predicate's parameters point at."""
    params = read.model_dump(by_alias=True)
    for field in read.form:
        source = read.source_of(field.key) or field.source
        if source is None or source == "trait_values":
            continue
        yield from ((source, field.key, key) for key in _keys(field, params[field.key]))


def _keys(field: FormField, value: Any) -> list[str]:
    if value is None:
        return []
    if field.type == "filters":
        return [w["property"] for w in value]
    return [str(key) for key in value] if isinstance(value, list | tuple | set | frozenset) else [str(value)]


def say(tree: Node, read: dict[str, Predicate], names: NameBook) -> Label:
    """The tree in words. Groups inside groups stand in brackets."""
    return _say(tree, read, names, outermost=True)


def _say(node: Node, read: dict[str, Predicate], names: NameBook, *, outermost: bool = False) -> Label:
    if not isinstance(node, Group):
        return read[node.id].sentence(names)
    parts = [_say(child, read, names) for child in node.children]
    zh, en = [part.zh for part in parts], [part.en for part in parts]
    if node.op == "not":
        return Label(f"排除（{'；或 '.join(zh)}）", f"none of ({'; or '.join(en)})")
    if node.op == "at_least":
        return Label(f"至少满足 {node.k} 项（{'；'.join(zh)}）", f"at least {node.k} of ({'; '.join(en)})")
    if len(parts) == 1:
        return parts[0]
    word = _JOIN[node.op]
    said = Label(f" {word.zh} ".join(zh), f" {word.en} ".join(en))
    return said if outermost else Label(f"（{said.zh}）", f"({said.en})")
