"""The shapes of audiences on the wire. Routes are in `routes`."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from quanyu.audiences.contracts import AudienceView, Counted, VersionView
from quanyu.audiences.options import Option
from quanyu.audiences.predicate import FormField, Predicate
from quanyu.audiences.tree import Group, Rule, parse_tree
from quanyu.kernel.label import Label


class AudienceLabel(BaseModel):
    """A text in both languages."""

    zh: str
    en: str


def label_out(label: Label) -> AudienceLabel:
    """A label on the wire."""
    return AudienceLabel(zh=label.zh, en=label.en)


AnyTree = Annotated[
    dict[str, Any],
    Field(
        description="A condition tree: groups `{type: group, id, op: and|or|not|at_least, k?, children}` and rules "
        "`{type: rule, id, predicate, params}`"
    ),
]


class ChoiceOut(BaseModel):
    """A fixed choice of a form field."""

    value: str
    label: AudienceLabel


class ShownWhenOut(BaseModel):
    """A field is shown only while another has one of these values."""

    key: str
    values: list[str]


class FormFieldOut(BaseModel):
    """One field of a predicate's form."""

    key: str
    label: AudienceLabel
    type: str
    required: bool
    default: Any = None
    options: list[ChoiceOut] = []
    min: float | None = None
    max: float | None = None
    options_source: str | None = None
    end_key: str | None = None
    unit: AudienceLabel | None = None
    multiple: bool = False
    shown_when: ShownWhenOut | None = None


class PredicateOut(BaseModel):
    """A predicate and its form."""

    key: str
    label: AudienceLabel
    group: AudienceLabel
    fields: list[FormFieldOut]


class PredicateList(BaseModel):
    """Every predicate."""

    items: list[PredicateOut]


class OptionOut(BaseModel):
    """A choice, with how many stand behind it where that is known."""

    value: str
    label: AudienceLabel
    count: int | None


class OptionList(BaseModel):
    """Found choices."""

    items: list[OptionOut]


class CountIn(BaseModel):
    """A tree to count."""

    model_config = ConfigDict(extra="forbid")
    tree: AnyTree


class ReachOut(BaseModel):
    """How many a channel reaches."""

    channel: str
    label: AudienceLabel
    count: int


class RuleErrorOut(BaseModel):
    """What is wrong at a rule or group, by its id; `field` is empty for all of it."""

    id: str
    field: str
    message: str = Field(description="In the caller's language")


class CountOut(BaseModel):
    """A live count; `count` is null while `errors` says why."""

    count: int | None
    total: int
    at: datetime
    took_ms: int
    sentence: AudienceLabel
    reachable: list[ReachOut]
    errors: list[RuleErrorOut]


class AudienceIn(BaseModel):
    """An audience to store."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100)
    description: str = Field(default="", max_length=1000)
    tree: AnyTree
    refresh: Literal["manual", "daily", "live"] = "manual"


class UsedByOut(BaseModel):
    """Something that rests on the audience."""

    kind: str
    id: str
    name: str


class AudienceOut(BaseModel):
    """An audience; `size` counts the people within the caller's scope."""

    audience_id: str
    name: str
    description: str
    tree: Annotated[Group | Rule, Field(discriminator="type")]
    sentence: AudienceLabel
    refresh: Literal["manual", "daily", "live"]
    size: int | None
    version: int | None
    computed_at: datetime | None
    created_by: str
    updated_at: datetime
    used_by: list[UsedByOut]


class AudienceList(BaseModel):
    """The brand's audiences; always one page."""

    items: list[AudienceOut]
    next_cursor: str | None = None
    total: int | None


class AudienceVersionOut(BaseModel):
    """A stored set; `kept` is false where only its counts remain."""

    version: int
    at: datetime
    size: int
    entered: int
    left: int
    took_ms: int
    kept: bool


class AudienceVersionList(BaseModel):
    """Versions, newest first."""

    items: list[AudienceVersionOut]
    next_cursor: str | None = None
    total: int | None


class AudiencePeopleIn(BaseModel):
    """Which people of an audience: a version (the newest if left out), or only who entered or left with it."""

    model_config = ConfigDict(extra="forbid")
    version: int | None = None
    change: Literal["entered", "left"] | None = None
    cursor: str | None = Field(default=None, max_length=20, pattern=r"^\d+$")
    limit: int = Field(default=50, ge=1, le=200)


def predicate_out(key: str, cls: type[Predicate]) -> PredicateOut:
    """A predicate on the wire."""
    return PredicateOut(
        key=key, label=label_out(cls.label), group=label_out(cls.group), fields=[_field_out(f) for f in cls.form]
    )


def _field_out(f: FormField) -> FormFieldOut:
    return FormFieldOut(
        key=f.key,
        label=label_out(f.label),
        type=f.type,
        required=f.required,
        default=f.default,
        options=[ChoiceOut(value=c.value, label=label_out(c.label)) for c in f.choices],
        min=f.low,
        max=f.high,
        options_source=f.source,
        end_key=f.end_key,
        unit=label_out(f.unit) if f.unit else None,
        multiple=f.multiple,
        shown_when=ShownWhenOut(key=f.shown_when[0], values=list(f.shown_when[1])) if f.shown_when else None,
    )


def option_out(option: Option) -> OptionOut:
    """A choice on the wire."""
    return OptionOut(value=option.value, label=label_out(option.label), count=option.count)


def count_out(counted: Counted, language: str) -> CountOut:
    """A live count on the wire."""
    return CountOut(
        count=counted.count,
        total=counted.total,
        at=counted.at,
        took_ms=counted.took_ms,
        sentence=label_out(counted.sentence),
        reachable=[ReachOut(channel=r.channel, label=label_out(r.label), count=r.count) for r in counted.reachable],
        errors=[RuleErrorOut(id=e.id, field=e.field, message=e.message.text(language)) for e in counted.errors],
    )


def audience_out(view: AudienceView) -> AudienceOut:
    """An audience on the wire."""
    return AudienceOut(
        audience_id=view.audience_id,
        name=view.name,
        description=view.description,
        tree=parse_tree(view.tree),
        sentence=label_out(view.sentence),
        refresh=view.refresh,
        size=view.size,
        version=view.version,
        computed_at=view.computed_at,
        created_by=view.created_by,
        updated_at=view.updated_at,
        used_by=[UsedByOut(kind=u.kind, id=u.id, name=u.name) for u in view.used_by],
    )


def version_out(view: VersionView) -> AudienceVersionOut:
    """A version on the wire."""
    return AudienceVersionOut(
        version=view.version,
        at=view.at,
        size=view.size,
        entered=view.entered,
        left=view.left,
        took_ms=view.took_ms,
        kept=view.kept,
    )
