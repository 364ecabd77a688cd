"""The predicates that audiences ship, one file each; importing this package registers them.

Contexts above add theirs by deriving from `quanyu.audiences.api.Predicate` in the same way.
"""

from quanyu.audiences.predicates import (
    anyone,
    has_consent,
    in_audience,
    not_performed,
    performed,
    recency,
    spent,
    tag,
    trait,
)

__all__ = ["anyone", "has_consent", "in_audience", "not_performed", "performed", "recency", "spent", "tag", "trait"]
