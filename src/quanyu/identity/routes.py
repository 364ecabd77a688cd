"""Routes of identity: the policies, and what people decide about links and people."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from quanyu.access.api import Guard
from quanyu.access.contracts import Caller
from quanyu.identity.api import Identity
from quanyu.identity.contracts import Decided
from quanyu.identity.policies import OVER_LIMIT_LABELS
from quanyu.kernel.clock import micros

LinkId = Annotated[int, Path(ge=1, lt=1 << 53)]


class IdentityLabel(BaseModel):
    """A text in both languages."""

    zh: str
    en: str


class PolicyOut(BaseModel):
    """What a kind of identifier promises. `blocked` lists what never identifies anybody, in any brand."""

    namespace: str
    label: IdentityLabel
    strength: int
    max_per_person: int | None
    max_people: int
    over_limit: str
    over_limit_label: IdentityLabel
    blocked: list[str]
    personal: bool


class PolicyList(BaseModel):
    """All policies, strongest first; always one page."""

    items: list[PolicyOut]
    next_cursor: str | None = None
    total: int | None = None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LinkDecisionIn(_Strict):
    """Why the decision is taken."""

    reason: str = Field("", max_length=500)


class PeopleMergeIn(_Strict):
    """Which people are one, and why."""

    person_ids: list[str] = Field(min_length=2, max_length=100)
    reason: str = Field(min_length=1, max_length=500)


class PeopleMerged(BaseModel):
    """The person that came out of it; denying the link undoes exactly this."""

    person_id: str
    link_id: int
    merged: int
    identifiers_moved: int
    preview: bool


class LinkDecided(BaseModel):
    """The people that the decision left, out of how many."""

    link_id: int
    people: list[str]
    people_before: int
    people_after: int
    identifiers_moved: int
    preview: bool


class BlockedIdentifier(_Strict):
    """A value in clear; it is hashed at once."""

    namespace: str = Field(max_length=40)
    value: str = Field(max_length=256)


class BlockIn(_Strict):
    """Values that identify nobody in this brand."""

    values: list[BlockedIdentifier] = Field(min_length=1, max_length=1000)
    reason: str = Field(min_length=1, max_length=500)


class BlockedOut(BaseModel):
    """How many of the values were new."""

    blocked: int


class BlockedValueOut(BaseModel):
    """A value that identifies nobody in this brand, masked, who said so and why."""

    value_id: str
    namespace: str
    namespace_label: IdentityLabel
    masked: str
    reason: str
    blocked_by: str
    blocked_at: datetime


class BlockedPage(BaseModel):
    """The brand's blocked values, newest first."""

    items: list[BlockedValueOut]
    next_cursor: str | None = None
    total: int | None = None


class UnblockIn(_Strict):
    """Why it identifies people after all."""

    reason: str = Field(min_length=1, max_length=500)


class PolicyChangeIn(_Strict):
    """What would be different about a policy; fields left out stay."""

    namespace: str = Field(max_length=40)
    strength: int = Field(1, ge=1, le=999)
    max_per_person: int | None = Field(None, ge=1, le=1_000_000)
    max_people: int = Field(1, ge=1, le=1_000_000)
    over_limit: Literal["refuse", "demote", "flag"] = "refuse"


class PolicyPreviewOut(BaseModel):
    """What the change would do; examples are people as they are now."""

    people_before: int
    people_after: int
    merged: int
    split: int
    demoted: int
    merged_examples: list[str]
    split_examples: list[str]


def _decided(found: Decided) -> LinkDecided:
    return LinkDecided(
        link_id=found.link_id,
        people=list(found.people),
        people_before=found.people_before,
        people_after=found.people_after,
        identifiers_moved=found.identifiers_moved,
        preview=found.preview,
    )


def _before(cursor: str | None) -> tuple[int, str] | None:
    """Where the last page ended; a cursor that is none begins at the first page."""
    at, dash, value_id = (cursor or "").partition("-")
    return (int(at), value_id) if dash and at.isascii() and at.isdigit() and len(at) < 18 else None


def router(identity: Identity, guard: Guard) -> APIRouter:
    """The routes of identity."""
    routes = APIRouter(tags=["identity"])
    reader = Annotated[Caller, Depends(guard.permit("people.read"))]
    writer = Annotated[Caller, Depends(guard.permit("people.write"))]
    preview_only = Annotated[bool, Query(description="Only say what would happen")]

    @routes.get("/identity/policies", summary="What each kind of identifier promises")
    def list_identity_policies(_: reader) -> PolicyList:
        items = []
        for policy in identity.policies():
            mode = OVER_LIMIT_LABELS[policy.over_limit]
            items.append(
                PolicyOut(
                    namespace=policy.namespace,
                    label=IdentityLabel(zh=policy.label.zh, en=policy.label.en),
                    strength=policy.strength,
                    max_per_person=policy.max_per_person,
                    max_people=policy.max_people,
                    over_limit=policy.over_limit,
                    over_limit_label=IdentityLabel(zh=mode.zh, en=mode.en),
                    blocked=list(policy.blocked),
                    personal=policy.personal,
                )
            )
        return PolicyList(items=items, total=len(items))

    @routes.post("/identity/policies/preview", summary="What a change of a policy would do to the people")
    def preview_identity_policy(
        body: PolicyChangeIn, caller: Annotated[Caller, Depends(guard.permit("settings.write"))]
    ) -> PolicyPreviewOut:
        policy = identity.policy(body.namespace)
        changes = body.model_dump(exclude={"namespace"}, exclude_unset=True)
        found = identity.preview_policies(caller.scope, [replace(policy, **changes)])
        return PolicyPreviewOut(
            people_before=found.people_before,
            people_after=found.people_after,
            merged=found.merged,
            split=found.split,
            demoted=found.demoted,
            merged_examples=list(found.merged_examples),
            split_examples=list(found.split_examples),
        )

    @routes.post("/identity/blocked-values", status_code=201, summary="Name values that identify nobody")
    def block_identity_values(
        body: BlockIn, caller: Annotated[Caller, Depends(guard.permit("settings.write"))]
    ) -> BlockedOut:
        values = [(one.namespace, one.value) for one in body.values]
        return BlockedOut(blocked=identity.blocking.block(caller, values, body.reason))

    @routes.get("/identity/blocked-values", summary="Values that identify nobody in this brand, newest first")
    def list_blocked_values(
        caller: Annotated[Caller, Depends(guard.permit("settings.read"))],
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> BlockedPage:
        found, total = identity.blocking.list_values(caller.scope, _before(cursor), limit)
        labels = {policy.namespace: policy.label for policy in identity.policies()}
        items = [
            BlockedValueOut(
                namespace_label=IdentityLabel(**labels[one.namespace].as_dict()),
                **{name: getattr(one, name) for name in BlockedValueOut.model_fields if name != "namespace_label"},
            )
            for one in found
        ]
        more = f"{micros(found[-1].blocked_at)}-{found[-1].value_id}" if len(found) == limit else None
        return BlockedPage(items=items, next_cursor=more, total=total)

    @routes.post(
        "/identity/blocked-values/{value_id}/unblock", status_code=204, summary="Let a value identify people again"
    )
    def unblock_identity_value(
        value_id: str, body: UnblockIn, caller: Annotated[Caller, Depends(guard.permit("settings.write"))]
    ) -> None:
        identity.blocking.unblock(caller, value_id, body.reason)

    @routes.post("/people/merge", summary="Say that people are one")
    def merge_people(body: PeopleMergeIn, caller: writer, preview: preview_only = False) -> PeopleMerged:
        found = identity.merge(caller, body.person_ids, body.reason, preview=preview)
        return PeopleMerged(
            person_id=found.people[0],
            link_id=found.link_id,
            merged=found.people_before,
            identifiers_moved=found.identifiers_moved,
            preview=found.preview,
        )

    @routes.post("/identity/links/{link_id}/deny", summary="Say that a link is wrong: its person splits")
    def deny_link(link_id: LinkId, body: LinkDecisionIn, caller: writer, preview: preview_only = False) -> LinkDecided:
        return _decided(identity.deny(caller, link_id, body.reason, preview=preview))

    @routes.post("/identity/links/{link_id}/restore", summary="Take a decision back: the policies decide again")
    def restore_link(
        link_id: LinkId, caller: writer, body: LinkDecisionIn | None = None, preview: preview_only = False
    ) -> LinkDecided:
        return _decided(identity.restore(caller, link_id, body.reason if body else "", preview=preview))

    @routes.post("/identity/links/{link_id}/accept", summary="Say that a refused link is right")
    def accept_link(
        link_id: LinkId, body: LinkDecisionIn, caller: writer, preview: preview_only = False
    ) -> LinkDecided:
        return _decided(identity.accept(caller, link_id, body.reason, preview=preview))

    return routes
