"""The collector's addresses as OpenAPI 3.1 path items: raw routes are not found by FastAPI, so they are said here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quanyu.events.contracts import CHANNELS, NAMESPACES
from quanyu.events.protocols.segment import CALLS

_TAG = "collector"
_TEXT = {"type": "string"}
_SUCCESS = {
    "description": "Durably kept",
    "content": {
        "application/json": {
            "schema": {"type": "object", "properties": {"success": {"const": True}}, "required": ["success"]}
        }
    },
}
_PROBLEM = {
    "type": "object",
    "properties": {"code": _TEXT, "message": _TEXT},
    "required": ["code", "message"],
}
_RETRY = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}}


def _problem(description: str, *, retry: bool = False) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": description, "content": {"application/json": {"schema": _PROBLEM}}}
    return {**answer, "headers": _RETRY} if retry else answer


_ANSWERS = {
    "200": _SUCCESS,
    "401": _problem("Unknown write key"),
    "413": _problem("The body is too large"),
    "429": _problem("This source floods and its backlog is full; send again", retry=True),
    "503": _problem("The log cannot be written now; send again", retry=True),
}
_CALL_ANSWERS = {**_ANSWERS, "400": _problem("Not JSON; the raw body is kept in quarantine")}
_CALL_FIELDS: dict[str, Any] = {
    "messageId": {"type": "string", "maxLength": 256, "description": "Idempotency key, permanent"},
    "userId": {"type": ["string", "null"]},
    "anonymousId": {"type": ["string", "null"]},
    "timestamp": {"type": "string", "format": "date-time"},
    "sentAt": {"type": "string", "format": "date-time", "description": "Corrects the device's clock"},
    "context": {"type": "object"},
    "writeKey": {"type": "string", "description": "Instead of HTTP Basic"},
}
_OWN_FIELDS: dict[str, dict[str, Any]] = {
    "track": {"event": _TEXT, "properties": {"type": "object"}},
    "identify": {"traits": {"type": "object"}},
    "page": {"name": _TEXT, "category": _TEXT, "properties": {"type": "object"}},
    "screen": {"name": _TEXT, "category": _TEXT, "properties": {"type": "object"}},
    "group": {"groupId": _TEXT, "traits": {"type": "object"}},
    "alias": {"previousId": _TEXT},
}


def paths() -> Mapping[str, Any]:
    """Path items by path."""
    items: dict[str, Any] = {}
    for letter, call in CALLS.items():
        items[f"/v1/{call}"] = {"post": _segment(call, f"collect_{call}", f"Segment `{call}`")}
        items[f"/v1/{letter}"] = {"post": _segment(call, f"collect_{letter}", f"Segment `{call}`, short form")}
    items["/v1/import"] = {"post": _segment("batch", "collect_import", "Segment `import`: a batch of old events")}
    items["/v1/events"] = {"post": _bulk()}
    items["/v1/projects/{write_key}/settings"] = {
        "get": _operation(
            "collector_settings",
            "Settings for Segment's browser SDK",
            {"200": _document("Settings"), "401": _ANSWERS["401"]},
            parameters=[{"name": "write_key", "in": "path", "required": True, "schema": _TEXT}],
        )
    }
    items["/sourceConfig/"] = {
        "get": _operation(
            "collector_source_config",
            "Settings for RudderStack's browser SDK",
            {"200": _document("Settings"), "401": _ANSWERS["401"]},
            parameters=[_query("writeKey", "The write key", required=True)],
        )
    }
    items["/sa"] = _sensors("sa", "神策 (Sensors Analytics) SA protocol", _SUCCESS)
    pixel = {
        "description": "Durably kept",
        "content": {"image/gif": {"schema": {"type": "string", "format": "binary"}}},
    }
    items["/sa.gif"] = _sensors("sa_gif", "神策 SA protocol, answered with a pixel", pixel)
    items["/debug"] = _sensors("debug", "神策 debug mode: judged at once; `Dry-Run: true` keeps nothing", _SUCCESS)
    for method in ("get", "post"):
        items["/debug"][method]["responses"]["400"] = _problem("What is wrong with the events")
    return items


def _segment(call: str, operation_id: str, summary: str) -> dict[str, Any]:
    single = {"type": "object", "properties": {**_CALL_FIELDS, **_OWN_FIELDS.get(call, {})}}
    if call == "batch":
        each = {"type": "object", "properties": {"type": {"enum": sorted(_OWN_FIELDS)}, **_CALL_FIELDS}}
        single = {
            "type": "object",
            "properties": {
                "batch": {"type": "array", "items": each, "maxItems": 10_000},
                "sentAt": _CALL_FIELDS["sentAt"],
                "writeKey": _TEXT,
            },
            "required": ["batch"],
        }
    operation = _operation(operation_id, summary, _CALL_ANSWERS)
    operation["description"] = "The write key is the user name of HTTP Basic, or `writeKey` in the body."
    operation["requestBody"] = {
        "required": True,
        "description": "JSON, plain or gzip; the Content-Type is not looked at",
        "content": {"application/json": {"schema": single}},
    }
    return operation


_EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "event_id": {"type": "string", "minLength": 1, "maxLength": 256, "description": "Idempotency key, permanent"},
        "name": {"type": "string", "minLength": 1, "maxLength": 128},
        "occurred_at": {
            "description": "An instant with its time zone, or microseconds since 1970 UTC",
            "oneOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}],
        },
        "identifiers": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"namespace": {"enum": sorted(NAMESPACES)}, "value": {"type": "string", "minLength": 1}},
                "required": ["namespace", "value"],
            },
        },
        "channel": {"enum": sorted(CHANNELS)},
        **{
            name: {"type": "string", "maxLength": 512}
            for name in ("touchpoint", "store_id", "staff_id", "effect_id", "session_id", "order_id", "replaces")
        },
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "sku": _TEXT,
                    "quantity": {"type": "number"},
                    "unit_price": {"type": "integer", "description": "Minor units"},
                    "amount": {"type": "integer", "description": "Minor units"},
                },
                "required": ["sku"],
            },
        },
        "amount": {"type": "integer", "description": "Minor units"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "properties": {"type": "object"},
        "traits": {
            "type": "object",
            "description": "Operations on the person's traits: set, set_once, increment, append, unset, delete, unbind",
        },
        "consent": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["event_id", "name", "occurred_at"],
    "additionalProperties": False,
}


def _bulk() -> dict[str, Any]:
    accepted = {"type": "integer", "description": "Events that are durably kept"}
    halted = {
        "type": "object",
        "properties": {
            "code": _TEXT,
            "message": _TEXT,
            "accepted": accepted,
            "row": {"type": "integer", "description": "The row, from 1, that comes next"},
        },
        "required": ["code", "message"],
    }

    def broken(description: str) -> dict[str, Any]:
        return {"description": description, "content": {"application/json": {"schema": halted}}}

    operation = _operation(
        "collect_events",
        "Events in bulk, in Quanyu's own shape",
        {
            "200": {
                "description": "All rows are durably kept; one that fails a check goes to quarantine with its number",
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "properties": {"success": {"const": True}, "accepted": accepted},
                            "required": ["success", "accepted"],
                        }
                    }
                },
            },
            "400": broken("A broken stream; the rows before it are kept"),
            "401": _ANSWERS["401"],
            "413": broken("One line or one record batch is too large"),
            "422": broken("The columns of the Arrow stream are not as asked"),
            "429": _ANSWERS["429"],
            "503": _ANSWERS["503"],
        },
    )
    operation["description"] = (
        "The write key is the user name of HTTP Basic, or a Bearer token. The body is streamed and of any length: one "
        "JSON object a line, or Arrow's IPC stream with these members as columns (`properties`, `traits` and "
        "`consent` as JSON text), either in gzip. Sending a row again stores nothing twice."
    )
    operation["requestBody"] = {
        "required": True,
        "content": {
            "application/x-ndjson": {"schema": _EVENT},
            "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
    return operation


def _sensors(operation_id: str, summary: str, success: dict[str, Any]) -> dict[str, Any]:
    fields = {
        "data": {"type": "string", "description": "base64 of JSON, or of gzip of JSON: one message"},
        "data_list": {"type": "string", "description": "The same of an array of messages"},
        "gzip": {"enum": ["0", "1"]},
        "crc": {"type": "string", "description": "Java string hash of the base64 text"},
        "ext": {"type": "string", "description": "`crc=<number>`"},
    }
    token = _query("token", "The write key", required=False)
    project = _query("project", "Not looked at", required=False)
    answers = {**_ANSWERS, "200": success}
    get = _operation(f"collect_{operation_id}_get", summary, dict(answers), parameters=[token, project])
    get["parameters"] += [_query("data", "One message", required=True), _query("ext", "Checksum", required=False)]
    post = _operation(f"collect_{operation_id}", summary, dict(answers), parameters=[token, project])
    post["requestBody"] = {
        "required": True,
        "description": "A form, whatever the Content-Type says",
        "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": fields}}},
    }
    return {"get": get, "post": post}


def _operation(
    operation_id: str, summary: str, responses: dict[str, Any], *, parameters: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "tags": [_TAG],
        "summary": summary,
        "parameters": list(parameters or []),
        "responses": responses,
    }


def _query(name: str, description: str, *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": _TEXT, "description": description}


def _document(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": {"type": "object"}}}}
