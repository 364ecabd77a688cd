"""Keys and shown names of departments, categories and products of the Complete Journey data.

A category name occurs in several departments ("COUPON/MISC ITEMS" in seven), so a category's key holds both. Nothing
here reads the files; the connector passes in the raw texts it read.
"""

from __future__ import annotations

import re

from quanyu.plugins.connectors.complete_journey.names import CATEGORIES, DEPARTMENTS, UNSORTED

__all__ = ["category_key", "category_name", "department_key", "department_name", "product_name"]


def _slug(raw: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", raw.lower()).strip("-")


def department_key(department: str) -> str:
    """`"DRUG GM"` -> `"drug-gm"`."""
    return _slug(department)


def category_key(department: str, category: str | None) -> str:
    """`("GROCERY", "SOFT DRINKS")` -> `"grocery.soft-drinks"`; without a category `"grocery.unsorted"`."""
    return f"{_slug(department)}.{'unsorted' if category is None else _slug(category)}"


def department_name(department: str) -> tuple[str, str]:
    """(Chinese, English). Raises KeyError for a department the data does not have."""
    return DEPARTMENTS[department]


def category_name(category: str | None) -> tuple[str, str]:
    """(Chinese, English). Raises KeyError for a category the data does not have."""
    return UNSORTED if category is None else CATEGORIES[category]


def product_name(
    department: str, category: str | None, product_type: str | None, package_size: str | None
) -> tuple[str, str]:
    """A product's shown name, (Chinese, English): the data names no products, only their type and size.

    Chinese: category, type as in the file, size. English: type (or category), size.
    """
    zh, en = category_name(category) if category is not None else department_name(department)
    kind = " ".join(product_type.split()) if product_type else None
    size = " ".join(package_size.split()) if package_size else None
    chinese = " ".join(part for part in (zh, kind, size) if part)
    english = " ".join(part for part in (kind or en, size) if part)
    return chinese, english
