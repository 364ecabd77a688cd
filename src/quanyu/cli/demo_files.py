"""How a file that is made for the demonstration comes in: kept, mapped by a ready mapping and run through the doors of
imports. What stands in the files is in `demo_members.py` and `demo_stock.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quanyu.access.contracts import Caller
from quanyu.app import Product
from quanyu.imports.api import dump, ready
from quanyu.kernel.label import Label


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A made file: the key of its source within the brand, what both are called, and the ready mapping for it."""

    source: str
    name: Label
    file: Label
    mapping: str


def import_made(product: Product, caller: Caller, made: MadeFile, content: Callable[[], bytes]) -> None:
    """Import the file to its end, once; the log holds it afterwards. Its source is marked as made."""
    imports, scope = product.imports, caller.scope
    source = f"{scope.brand}.{made.source}"
    if all(job.source != source for job in imports.list_jobs(scope, None, 10)):
        _, _, mapping = ready()[made.mapping]
        with product.state.write() as tx:
            product.events.sources.ensure(
                tx, source=source, brand_id=scope.brand_id, name=made.name, kind="file", made=True
            )
        saved = imports.save_mapping(caller, made.name.text(caller.language), dump(mapping), source=made.source)
        kept = imports.keep_file(caller, made.file.text(caller.language), content())
        imports.start(caller, kept.file_id, saved.mapping_id)
    runner = imports.runner("demo")
    while runner.step():
        pass
