"""The product: every context over one pair of stores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quanyu.access.api import Access
from quanyu.access.contracts import Scope
from quanyu.analytics.api import Analytics
from quanyu.app.adapters import EventRecorder, MadeSources, MessageCards, profile_options
from quanyu.app.plugins import channels, places
from quanyu.audiences.api import Audiences
from quanyu.commerce.api import Commerce
from quanyu.consent.api import Consent
from quanyu.events.api import Events
from quanyu.events.contracts import EVENT_SCHEMA
from quanyu.events.observing import Observer
from quanyu.events.quality import Quality
from quanyu.events.reconcile import Reconciliation
from quanyu.events.retention import Retention
from quanyu.identity.api import Identity
from quanyu.imports.api import Imports
from quanyu.journeys.api import Journeys
from quanyu.kernel.clock import Clock, SystemClock
from quanyu.kernel.ids import Ids, SystemIds
from quanyu.kernel.settings import Settings
from quanyu.messaging.api import Messaging
from quanyu.profiles.api import Profiles, Recount
from quanyu.promotions.api import Promotions
from quanyu.sdk import outbound
from quanyu.sdk.place import Surroundings
from quanyu.storage.engine import Dimension, DuckDBEngine
from quanyu.storage.history import History
from quanyu.storage.state import State
from quanyu.storage.streams import EventStreams
from quanyu.storage.vault import Vault, load_master_key
from quanyu.worker.pipeline import APP


@dataclass(frozen=True)
class Product:
    """Every door of an installation."""

    settings: Settings
    clock: Clock
    ids: Ids
    state: State
    history: History
    vault: Vault
    engine: DuckDBEngine
    access: Access
    events: Events
    reconciliation: Reconciliation
    quality: Quality
    retention: Retention
    identity: Identity
    consent: Consent
    profiles: Profiles
    audiences: Audiences
    commerce: Commerce
    imports: Imports
    promotions: Promotions
    messaging: Messaging
    analytics: Analytics
    journeys: Journeys

    def close(self) -> None:
        """Write what waits and close every connection."""
        self.messaging.close()
        self.events.close()
        self.state.dispose()


def compose(settings: Settings, *, clock: Clock | None = None, ids: Ids | None = None) -> Product:
    """Put an installation together. Touches no data but the master key and the history's empty table."""
    clock, ids = clock or SystemClock(), ids or SystemIds()
    folder = settings.data_path
    state = State(settings.state_url)
    vault = Vault(state, load_master_key(settings.master_key, folder), clock)
    history = History(folder / "history")
    history.declare("events", EVENT_SCHEMA)

    access = Access(state, clock, ids, session_hours=settings.session_hours)
    events = Events(
        state,
        vault,
        clock,
        ids,
        access.brands,
        folder,
        max_body_bytes=settings.max_body_bytes,
        max_backlog_bytes=settings.max_backlog_bytes,
    )
    record_events = EventRecorder(state, events)
    made_sources = MadeSources(events, access.brands)
    identity = Identity(state, vault, clock, ids, access.audit)
    moved = Dimension(identity.moved, identity.moved_token)
    replaced = events.replacements(history)
    engine = DuckDBEngine(history, EVENT_SCHEMA, moved=moved, replaced=replaced)
    events.find_stored = engine.find
    consent = Consent(state, identity, clock, access.audit)
    commerce = Commerce(state, clock)
    for name, dimension in commerce.dimensions().items():
        engine.register(name, dimension)
    profiles = Profiles(
        state,
        identity,
        vault,
        clock,
        ids,
        access.audit,
        made_sources=made_sources,
        store_names=commerce.store_names,
        recount=Recount(engine, events.replaced_anchors, events.without_replaced),
    )

    def scope_of(brand_id: int) -> Scope:
        return access.brands.by_id(brand_id).scope()

    audiences = Audiences(
        state,
        engine,
        clock,
        ids,
        access.audit,
        people=identity,
        profiles=profiles,
        consents=consent,
        brand_scope=scope_of,
        options={**commerce.options(), **profile_options(profiles)},
        streams=EventStreams(history, moved, replaced=replaced),
    )
    # Profiles lie below audiences and learn from them who belongs to a condition tree.
    profiles.evaluate = lambda tree, scope: audiences.evaluate(audiences.check(tree, scope), clock.now(), scope)
    imports = Imports(
        state,
        vault,
        clock,
        ids,
        access.brands,
        events,
        commerce,
        access.audit,
        folder / "imports",
        most_bytes=settings.max_import_bytes,
        places=places(),
        around=lambda scope: Surroundings(
            (folder / "inbox" / scope.brand, *(Path(one) for one in settings.import_folders.split(":") if one)),
            settings.allow_private_urls,
        ),
    )
    promotions = Promotions(state, clock, ids, identity, record_events, access.audit)
    messaging = Messaging(
        state,
        vault,
        clock,
        ids,
        people=identity,
        consents=consent,
        cards=MessageCards(profiles, identity, access.brands, commerce.store_names),
        coupons=promotions,
        plugins=channels(),
        http=lambda: outbound.client(allow_private=settings.allow_private_urls),
        record_events=record_events,
        scope_of=scope_of,
        audit=access.audit,
    )
    promotions.use_sends(messaging.effects_of_send)
    consent.in_flight = messaging.in_flight
    analytics = Analytics(
        state,
        engine,
        clock,
        people=identity,
        audiences=audiences,
        commerce=commerce,
        made_sources=made_sources.of,
    )
    journeys = Journeys(
        state,
        clock,
        ids,
        people=identity,
        audiences=audiences,
        messaging=messaging,
        promotions=promotions,
        scope_of=scope_of,
        audit=access.audit,
    )
    audiences.used_by(journeys.used_audiences)
    reconciliation = Reconciliation(state, history, clock, APP)
    return Product(
        settings,
        clock,
        ids,
        state,
        history,
        vault,
        engine,
        access,
        events,
        reconciliation,
        Quality(state, clock, Observer(state, engine, clock), reconciliation, access.brands.list),
        Retention(state, history, clock),
        identity,
        consent,
        profiles,
        audiences,
        commerce,
        imports,
        promotions,
        messaging,
        analytics,
        journeys,
    )
