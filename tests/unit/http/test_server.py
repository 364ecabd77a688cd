"""The server around the routes: problem details, request ids, protecting headers, health, the console's files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.exc import DataError

from quanyu.app import compose, web
from quanyu.http import problems
from quanyu.http.static import ConsoleFiles
from quanyu.kernel.settings import Settings
from tests import stores

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    database = stores.sqlite(tmp_path / "state.sqlite", stores.installed)
    product = compose(Settings.load({}, {"data_dir": str(tmp_path), "database_url": database}))
    with TestClient(web(product), raise_server_exceptions=False) as made:
        yield made
    product.close()


def test_an_error_is_a_problem_in_the_callers_language_with_its_request_id(client: TestClient):
    for language, title in (("zh-CN", "请先登录"), ("en-US", "Please sign in")):
        answer = client.get("/api/v1/people/p_x", headers={"Accept-Language": language, "X-Request-Id": "trace-12345"})
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert (body["code"], body["title"], body["request_id"]) == ("not_signed_in", title, "trace-12345")
        assert answer.headers["x-request-id"] == "trace-12345"


def test_a_bad_body_names_its_fields(client: TestClient):
    answer = client.post("/api/v1/session", json={"username": "x", "colour": "red"})
    assert answer.status_code == 422
    assert {item["field"] for item in answer.json()["errors"]} == {"password", "colour"}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (DataError("INSERT", {}, ValueError("text cannot contain NUL")), 422, "value_not_storable"),
        (OverflowError("Python int too large to convert to SQLite INTEGER"), 422, "value_not_storable"),
        (OverflowError("date value out of range"), 500, "internal"),
    ],
)
def test_what_no_database_takes_is_the_callers_mistake(error: Exception, status: int, code: str):
    app = FastAPI()
    problems.install(app)

    @app.get("/fails")
    def fails() -> None:
        raise error

    answer = TestClient(app, raise_server_exceptions=False).get("/fails")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_an_unknown_api_route_is_a_problem_and_not_the_console(client: TestClient):
    answer = client.get("/api/v1/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_harmful_request_id_is_replaced(client: TestClient):
    answer = client.get("/healthz", headers={"X-Request-Id": 'a"b<script>'})
    assert answer.headers["x-request-id"].startswith("r_")


def test_health_metrics_and_protecting_headers(client: TestClient):
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/readyz").json()["status"] == "ready"
    metrics = client.get("/metrics").text
    assert "quanyu_backlog_events" in metrics
    answer = client.get("/healthz")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_the_openapi_document_covers_product_and_collector(client: TestClient):
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert {"/api/v1/people/search", "/v1/batch", "/sa"} <= set(document["paths"])
    names = [
        operation["operationId"]
        for path, item in document["paths"].items()
        for operation in item.values()
        if path.startswith("/api/") and isinstance(operation, dict) and "operationId" in operation
    ]
    assert len(names) == len(set(names)) > 60


def test_console_files_are_cached_compressed_and_confined(tmp_path: Path):
    from starlette.applications import Starlette

    root = tmp_path / "console"
    (root / "assets").mkdir(parents=True)
    (root / "index.html").write_text("<title>app</title>")
    (root / "assets" / "a.js").write_text("plain")
    (root / "assets" / "a.js.gz").write_bytes(b"packed")
    (tmp_path / "secret.txt").write_text("secret")
    client = TestClient(Starlette(routes=[ConsoleFiles(root).route()]))
    assert "app" in client.get("/people/p_1").text
    assert client.get("/missing.js").status_code == 404
    asset = client.get("/assets/a.js", headers={"Accept-Encoding": "identity"})
    assert (asset.text, "immutable" in asset.headers["cache-control"]) == ("plain", True)
    for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt"):
        assert "secret" not in client.get(path).text
    page = client.get("/")
    assert client.get("/", headers={"If-None-Match": page.headers["etag"]}).status_code == 304
    assert page.headers["cache-control"] == "no-cache"


def test_an_unbuilt_console_says_what_to_do(tmp_path: Path):
    from starlette.applications import Starlette

    client = TestClient(Starlette(routes=[ConsoleFiles(tmp_path / "nothing").route()]))
    answer = client.get("/")
    assert (answer.status_code, "make demo" in answer.text) == (503, True)
