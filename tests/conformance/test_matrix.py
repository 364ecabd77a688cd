"""Every route × every role × two brands: who may call it, and that nobody sees a row that is not theirs.

The routes come from the OpenAPI document and the permissions from the guards themselves; nothing is listed here by
hand. Foreign rows are looked for twice: marks of the second brand in any answer, and, since a count has no mark, by
comparing two worlds that differ only in what the caller may not see. They must answer the same.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from quanyu.http.server import document
from tests.conformance import requests as asked
from tests.conformance.requests import Operation
from tests.conformance.world import BOUGHT, Who, World, hidden_texts, running, text_of

ROOT = Path(__file__).resolve().parents[2]
# The session's own routes: they make and end what the guards look for.
OPEN = {"sign_in", "read_session", "sign_out"}
# Measures of time and the request itself.
PASSING = {"took_ms", "request_id"}
# Numbers of links and of lines in the consent ledger name a thing that was just made by its place in a sequence.
PASSING |= {"link_id", "consent_id"}
NAMES = ("bare", "full")
# Words that a schema leaves open, and what a field means where it means something else.
WORDS = {"purpose": "marketing", "channel": "sms", "status": "withdrawn", "text": "words"}
MEANT: dict[str, dict[str, Any]] = {
    "search_options": {"source": "stores"},
    "create_connection": {
        "kind": "webhook",
        "config": {"url": "http://127.0.0.1:9/", "secret": f"whsec_{'QUJD' * 10}"},
    },
    "block_identity_values": {"value": "blocked0"},
    "preview_retention": {"keep": "others"},
    "set_retention": {"keep": "forever"},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both brands with everything."""
    with running(tmp_path_factory.mktemp("full"), {"other", "beta"}) as made:
        yield made


def api_of(world: World) -> dict[str, Any]:
    return document(world.http.app, {})  # type: ignore[arg-type]


def permissions(world: World) -> dict[str, list[tuple[str, ...]]]:
    """What the guards of each operation declare."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for route in world.http.app.routes:  # type: ignore[attr-defined]
        included = getattr(route, "original_router", None)
        for one in included.routes if included else [route]:
            if isinstance(one, APIRoute):
                found[one.name] = [
                    each.call.permissions  # type: ignore[union-attr]
                    for each in one.dependant.dependencies
                    if hasattr(each.call, "permissions")
                ]
    return found


def request(world: World, who: Who | None, one: Operation, own: dict[str, Any], **path: Any) -> Any:
    """Ask as the document says, with the things of a brand in the path and in the body."""
    samples: dict[str, Any] = {
        **own,
        "tree": BOUGHT,
        "namespace": "member_no",
        "brands": "alpha",
        "permissions": "catalog.read",
        **WORDS,
        **MEANT.get(one.name, {}),
        **path,
    }
    place = one.path.format(**{field: samples.get(field, "x") for field in one.path_fields})
    more = {"json": asked.body(one, api_of(world), samples)} if one.body else {}
    headers = {"Idempotency-Key": asked.fresh()} if one.method == "post" else {}
    return world.ask(who, one.method.upper(), place, params=asked.query(one, samples), headers=headers, **more)


def comparable(answer: Any, folder: str = "/nowhere") -> tuple[int, Any]:
    """Status and content without what differs from second to second, and the folder in which the world lies."""

    def steady(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: steady(each) for key, each in value.items() if key not in PASSING}
        if isinstance(value, list):
            return [steady(each) for each in value]
        return value.replace(folder, "…") if isinstance(value, str) else value

    try:
        return answer.status_code, steady(answer.json())
    except ValueError:
        return answer.status_code, answer.text


def denial(answer: Any) -> str | None:
    """The permission that was missing, if that is why the answer is a refusal."""
    if answer.status_code != 403 or answer.json()["code"] != "permission_denied":
        return None
    found = re.search(r"[a-z]+\.[a-z]+", answer.json()["detail"])
    return found.group() if found else ""


def differences(bare: Any, full: Any, place: str = "") -> Iterator[str]:
    """Where two answers differ, and how."""
    if isinstance(bare, dict) and isinstance(full, dict):
        for key in bare.keys() | full.keys():
            yield from differences(bare.get(key), full.get(key), f"{place}.{key}")
    elif isinstance(bare, list) and isinstance(full, list) and len(bare) == len(full):
        for index, pair in enumerate(zip(bare, full, strict=True)):
            yield from differences(*pair, f"{place}[{index}]")
    elif bare != full:
        yield f"{place}: {str(bare)[:60]} -> {str(full)[:60]}"


def test_every_route_has_a_guard(world: World) -> None:
    guards = permissions(world)
    names = [one.name for one in asked.operations(api_of(world))]
    assert len(names) > 60
    assert {name for name in names if not guards[name]} == OPEN
    assert all(len(guards[name]) == 1 and guards[name][0] for name in names if name not in OPEN)


def test_routes_evaluate_their_annotations() -> None:
    """With `from __future__ import annotations` FastAPI does not see a guard that is a local name, and drops it."""
    files = sorted((ROOT / "src/quanyu").rglob("*routes*.py"))
    assert len(files) > 8
    lazy = [
        str(file.relative_to(ROOT))
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
    ]
    assert lazy == []


def test_nobody_passes_without_a_session(world: World) -> None:
    wrong = {"Cookie": "quanyu_session=0000", "X-CSRF-Token": "0000"}
    for who in (
        None,
        Who("forged", wrong, frozenset()),
        Who("key", {"Authorization": "Bearer qk_0000"}, frozenset()),
    ):
        for one in asked.operations(api_of(world)):
            if one.name == "sign_in":
                continue
            answer = request(world, who, one, world.samples["alpha"])
            assert answer.status_code == 401, f"{one.name} as {who}: {answer.status_code} {answer.text}"
            assert answer.json()["code"]


def test_a_request_that_changes_something_needs_the_sessions_token(world: World) -> None:
    owner = world.callers["owner"]
    forged = Who("forged", {"Cookie": owner.headers["Cookie"]}, owner.permissions)
    for one in asked.operations(api_of(world)):
        if not one.reads and one.name != "sign_in":
            answer = request(world, forged, one, world.samples["alpha"])
            assert (answer.status_code, answer.json()["code"]) == (403, "csrf_token_wrong"), one.name


def test_who_lacks_the_guards_permission_is_denied(world: World) -> None:
    guards = permissions(world)
    counts = {True: 0, False: 0}
    for one in asked.operations(api_of(world)):
        if one.name in OPEN:
            continue
        for who in world.callers.values():
            missing = [wanted for wanted in guards[one.name][0] if wanted not in who.permissions]
            may = not missing
            if may and not one.reads:
                continue  # what may change something is tried below, in worlds of its own
            answer = request(world, who, one, world.samples["beta" if who.name == "beta owner" else "alpha"])
            denied = denial(answer)
            wanted = missing[0] if missing else None
            assert denied == wanted, f"{one.name} as {who.name}: {answer.status_code} {answer.text}"
            assert answer.status_code < 500, f"{one.name} as {who.name}: {answer.text}"
            counts[may] += 1
    assert min(counts.values()) > 100, "a matrix that only allows, or only denies, proves nothing"


def test_another_brand_cannot_be_chosen(world: World) -> None:
    for one in asked.operations(api_of(world)):
        if one.name in OPEN:
            continue
        for who in world.callers.values():
            if who.name == "beta owner":
                continue
            told = []
            for brand in ("beta", "nosuch"):
                place = one.path.format(**{field: world.samples["beta"].get(field, "x") for field in one.path_fields})
                params = {**asked.query(one, world.samples["beta"]), "brand": brand}
                answer = world.ask(who, one.method.upper(), place, params=params, json={} if one.body else None)
                assert answer.status_code == 404, f"{one.name} as {who.name}: {answer.status_code}"
                told.append(json.dumps(comparable(answer)).replace(brand, "…"))
            assert told[0] == told[1]


def test_a_foreign_id_reads_as_one_that_does_not_exist(world: World) -> None:
    """In paths and in queries: same status, same words, and the other brand is as it was."""
    guards, beta = permissions(world), world.samples["beta"]
    before = _everything(world, world.callers["beta owner"], beta)
    tried = 0
    for one in asked.operations(api_of(world)):
        if one.name in OPEN:
            continue
        unsampled = set(one.path_fields) - beta.keys()
        assert not unsampled, f"{one.name} needs a sample of {unsampled} in tests/conformance/world.py"
        fields = [name for name in (*one.path_fields, *(name for name, _ in one.query_fields)) if name in beta]
        for who in world.callers.values():
            if who.name == "beta owner" or not who.permissions.issuperset(guards[one.name][0]):
                continue
            for field in fields:
                own = world.samples["alpha"]
                unknown = 2**40 if isinstance(beta[field], int) else "nosuch0000"
                told = []
                for value in (beta[field], unknown):
                    if field in one.path_fields:
                        answer = request(world, who, one, own, **{field: value})
                        refused = answer.status_code in (404, 422) or denial(answer)
                        assert refused, f"{one.name} as {who.name}: {answer.status_code} {answer.text}"
                    else:
                        place = one.path.format(**{each: own.get(each, "x") for each in one.path_fields})
                        params = {**asked.query(one, own), "namespace": "member_no", field: value}
                        answer = world.ask(who, one.method.upper(), place, params=params)
                    told.append(json.dumps(comparable(answer), ensure_ascii=False).replace(str(value), "…"))
                assert told[0] == told[1], f"{one.name}.{field} as {who.name}"
                tried += 1
    assert tried > 100
    assert _everything(world, world.callers["beta owner"], beta) == before


def _everything(world: World, who: Who, own: dict[str, Any]) -> dict[str, Any]:
    # What was read is written into the audit ledger, which would differ by our own reading.
    left_out = {*OPEN, "list_audit", "verify_audit"}
    readers = [one for one in asked.operations(api_of(world)) if one.reads and one.name not in left_out]
    return {one.name: comparable(request(world, who, one, own)) for one in readers}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("whole_brand", "without"),
    [(True, {"other"}), (False, set())],
    ids=["other brand", "other stores and guides"],
)
def test_answers_do_not_depend_on_what_the_caller_may_not_see(
    whole_brand: bool, without: set[str], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        bare = stack.enter_context(running(tmp_path / NAMES[0], without))
        full = stack.enter_context(running(tmp_path / NAMES[1], {"other", "beta"}))
        guards, compared, content = permissions(full), 0, 0
        hidden = hidden_texts(full.samples["beta"], full.people["beta"])
        elsewhere = [] if whole_brand else full.people["other"]
        wrong: list[str] = []
        for one in asked.operations(api_of(full)):
            for who in full.callers.values():
                if one.name in OPEN or who.whole_brand is not whole_brand or who.name == "beta owner":
                    continue
                if not who.permissions.issuperset(guards[one.name][0]):
                    continue
                told = []
                for place in (bare, full):
                    place.ids.begin(1000 + compared)
                    asked.begin(compared)
                    told.append(request(place, place.callers[who.name], one, place.samples["alpha"]))
                assert told[1].status_code < 500, f"{one.name} as {who.name}: {told[1].text}"
                leaked = [text for text in [*hidden, *elsewhere] if text in text_of(told[1])]
                if leaked:
                    wrong.append(f"{one.name} as {who.name} shows {leaked[:3]}: {told[1].text[:300]}")
                seen = [comparable(answer, str(tmp_path / name)) for answer, name in zip(told, NAMES, strict=True)]
                if seen[0] != seen[1]:
                    places = list(differences(seen[0][1], seen[1][1]))
                    wrong.append(f"{one.name} as {who.name}: {places[:6]}")
                compared += 1
                content += told[1].status_code < 300
        assert not wrong, f"{len(wrong)} of {compared}\n" + "\n".join(wrong)
        assert content > compared * 0.6, f"only {content} of {compared} requests succeeded: the rest proves little"
