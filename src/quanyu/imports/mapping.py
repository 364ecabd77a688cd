"""The mapping: a saved document that says which column of a table is what.

It names columns and says nothing of the code that reads them (`applying`) nor of where the table comes from. A value
is a column (`"订单编号"`), the first of several that the file has (`["订单编号", "订单号"]`), or a constant
(`{"const": "order_paid"}`); `values` translates what a column says. The same document is JSON in the API and YAML in
a repository.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from quanyu.events.contracts import CHANNELS, NAMESPACES
from quanyu.imports.errors import mapping_invalid
from quanyu.kernel.faults import WrongValue, of_field, of_yaml

Columns = Annotated[list[str], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)]
Target = Literal["events", "people", "products", "stores"]
Kind = Literal["text", "number", "money", "time", "flag"]
Unit = Literal["yuan", "cents"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Value(_Part):
    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"column": given} if isinstance(given, str | list) else given


class Value(_Value):
    """One text per row: of a column, or the same for all. `values` translates; what it lacks becomes `otherwise`."""

    column: Columns = []
    const: str | None = None
    values: dict[str, str] = {}
    otherwise: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Value:
        if bool(self.column) == (self.const is not None):
            raise WrongValue("column 与 const 只能、也必须填一个", "Give either column or const")
        return self


class Column(_Value):
    """A column, by its name or by several of which the first that the file has is taken."""

    column: Columns = Field(min_length=1)


class When(Column):
    """An instant. Without `format` the usual ways of writing one are recognised; `time_zone` is the brand's if None."""

    format: str | None = None
    time_zone: str | None = None


class Money(Column):
    """An amount in yuan or in cents. `lines` says what the amount of an order of several rows is."""

    unit: Unit = "yuan"
    lines: Literal["first", "sum"] = "first"


class Typed(Column):
    """A column with the type that its values have in events and profiles."""

    type: Kind = "text"
    unit: Unit = "yuan"
    values: dict[str, str] = {}


class Identifier(Column):
    """An identifier of the person. `suffix` completes it (`@wx123`); a masked value (`138****1234`) is never one."""

    namespace: str
    suffix: str = ""

    @model_validator(mode="after")
    def _known(self) -> Identifier:
        if self.namespace not in NAMESPACES:
            there = ", ".join(sorted(NAMESPACES))
            raise WrongValue(
                f"没有标识 {self.namespace}；可用：{there}", f"There is no namespace {self.namespace}, only {there}"
            )
        return self


class Items(_Part):
    """The products of an order: one per row, or many rows to an order where the mapping is `grouped`."""

    sku: Value
    quantity: Column | None = None
    unit_price: Money | None = None
    amount: Money | None = None


class Skip(_Part):
    """Rows that are left out and counted: those whose column is one of `is_in`, or none of `is_not_in`."""

    column: Columns
    is_in: list[str] | None = None
    is_not_in: list[str] | None = None


class Tags(Column):
    """Tags of a group, one or several in a cell."""

    group: str = Field(min_length=1, max_length=50)
    separators: str = ",，;；、|"


class ConsentOf(Column):
    """Consent that a column states; values in neither list say nothing."""

    purpose: str
    channel: str
    granted: list[str] = ["是", "同意", "1", "Y", "true", "TRUE", "yes"]
    withdrawn: list[str] = []
    notice_version: str = "import"


class Reading(_Part):
    """How to read the file; what is left out is found out."""

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header_row: int = Field(1, ge=1, le=100)

    @field_validator("encoding")
    @classmethod
    def _known(cls, given: str | None) -> str | None:
        try:
            "".encode(given or "utf-8")
        except (LookupError, ValueError) as error:
            raise WrongValue(
                f"没有编码 {given}；常用：utf-8、gb18030、utf-16", f"There is no encoding {given}; try utf-8 or gb18030"
            ) from error
        return given

    @field_validator("delimiter")
    @classmethod
    def _one_mark(cls, given: str | None) -> str | None:
        if given is not None and (len(given) != 1 or given in '\r\n"' or not given.isascii()):
            raise WrongValue("分隔符应是一个字符，如逗号、分号、制表符", "The delimiter is one character, like a comma")
        return given


class Mapping(_Part):
    """Which column is what."""

    version: Literal[1] = 1
    target: Target
    read: Reading = Reading()
    skip: list[Skip] = []
    key: list[Annotated[Columns, Field(min_length=1)]] = Field(min_length=1, max_length=5)
    fill_down: bool = False  # cells that are empty repeat the one above: exports with merged cells
    grouped: bool = False
    corrections: Literal["replace", "keep"] = "replace"
    name: Value | None = None
    occurred_at: When | None = None
    identifiers: list[Identifier] = []
    order_id: Value | None = None
    amount: Money | None = None
    items: Items | None = None
    store_id: Value | None = None
    staff_id: Value | None = None
    channel: Value | None = None
    touchpoint: Value | None = None
    currency: Value | None = None
    properties: dict[str, Typed] = {}
    traits: dict[str, Typed] = {}
    tags: list[Tags] = []
    consent: list[ConsentOf] = []
    fields: dict[str, Value] = {}  # of a product or a store

    @model_validator(mode="after")
    def _whole(self) -> Mapping:
        if self.target == "events" and (self.name is None or self.occurred_at is None):
            raise WrongValue(
                "变成事件需要 name（事件名）和 occurred_at（发生时间）",
                "A mapping to events needs name and occurred_at",
            )
        if self.target == "people" and not self.identifiers:
            raise WrongValue("变成客户需要 identifiers（标识）", "A mapping to people needs identifiers")
        wanted = {"products": ("sku", "name"), "stores": ("store_id", "name")}.get(self.target, ())
        missing = [field for field in wanted if field not in self.fields]
        if missing:
            lacking = ", ".join(f"fields.{field}" for field in missing)
            raise WrongValue(f"变成 {self.target} 还需要 {lacking}", f"A mapping to {self.target} needs {lacking}")
        if self.channel and self.channel.const and self.channel.const not in CHANNELS:
            const, there = self.channel.const, ", ".join(CHANNELS)
            raise WrongValue(f"没有渠道 {const}；可用：{there}", f"There is no channel {const}, only {there}")
        if self.grouped and self.target != "events":
            raise WrongValue("只有事件可以一单多行（grouped）", "Only events can be grouped")
        return self

    def needed(self) -> list[list[str]]:
        """The columns that a table must have, each with its other names."""
        fields = [value for name, value in self.fields.items() if name in ("sku", "store_id", "name")]
        sku = self.items.sku if self.items else None
        values = [self.occurred_at, self.amount, self.name, sku, *fields]
        return [*self.key, *(value.column for value in values if value is not None and value.column)]

    def personal_key(self) -> bool:
        """Whether the business key may be a direct identifier, which never enters history in clear."""
        given = {name for one in self.identifiers for name in one.column}
        return self.target == "people" or any(given.intersection(part) for part in self.key)


def parse(document: Any) -> Mapping:
    """The mapping of a document: a JSON object, or its JSON or YAML text. Raises Invalid, naming what is wrong."""
    try:
        given = yaml.safe_load(document) if isinstance(document, str) else document
        return Mapping.model_validate(given)
    except yaml.YAMLError as error:
        raise mapping_invalid([("", of_yaml(error, str(document)))]) from error
    except ValidationError as error:
        raise mapping_invalid(
            [(".".join(str(step) for step in one["loc"]), of_field(one)) for one in error.errors()]
        ) from error


def dump(mapping: Mapping) -> dict[str, Any]:
    """The document of a mapping, without what is as usual."""
    found: dict[str, Any] = json.loads(mapping.model_dump_json(exclude_defaults=True))
    return {"version": 1, **found}
