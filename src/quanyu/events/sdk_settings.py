"""The settings documents that browser SDKs fetch before they send: the smallest that make them work."""

from __future__ import annotations

from quanyu.events.contracts import Source


def segment(key: str) -> dict[str, object]:
    """What analytics-next wants to read before it sends anything."""
    allowed = {"__default": {"enabled": True, "integrations": {}}}
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": key,
                "unbundledIntegrations": [],
                "addBundledMetadata": True,
                "maybeBundledConfigIds": {},
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
            }
        },
        "plan": {
            "track": allowed,
            "identify": {"__default": {"enabled": True}},
            "group": {"__default": {"enabled": True}},
        },
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


def rudder(source: Source, key: str) -> dict[str, object]:
    """What RudderStack's browser SDK wants to read before it sends anything."""
    return {
        "source": {
            "id": source.source,
            "name": source.name.en,
            "writeKey": key,
            "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
            "enabled": True,
            "connections": [],
            "destinations": [],
            "workspaceId": "quanyu",
            "dataplanes": {},
            "liveEventsConfig": {"eventUpload": False},
            "sourceDefinition": {"name": "Javascript"},
        },
        "updatedAt": "2026-01-01T00:00:00.000Z",
    }
