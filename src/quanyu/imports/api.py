"""The door of imports: files, mappings, looking, jobs and what they refused."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from collections.abc import Mapping as Dictionary
from datetime import timedelta
from pathlib import Path
from typing import Any

from quanyu.access.api import Audit, Brands
from quanyu.access.contracts import Caller, Scope
from quanyu.commerce.api import Commerce
from quanyu.events.api import Events
from quanyu.imports import errors, looking, saved
from quanyu.imports.connections import Connection, Connections
from quanyu.imports.contracts import BadRowView, Inspected, Job, KeptFile, Previewed, SavedMapping, Suggestion
from quanyu.imports.mapping import Mapping, dump, parse
from quanyu.imports.places import Places
from quanyu.imports.reading import Read, read
from quanyu.imports.running import Runner, make
from quanyu.imports.sealing import SealedFiles
from quanyu.imports.suggesting import ready, suggest
from quanyu.imports.webhooks import Webhooks
from quanyu.kernel.clock import Clock, micros
from quanyu.kernel.ids import Ids
from quanyu.kernel.label import same
from quanyu.sdk.place import PlacePlugin, Surroundings
from quanyu.storage.lease import Lease
from quanyu.storage.state import State
from quanyu.storage.vault import Vault

__all__ = ["Connection", "Imports", "dump", "parse", "ready"]

_KEPT = timedelta(days=1)  # of a file that is not imported; of one that is, until it was
_LEASE = timedelta(seconds=30)


class Imports:
    """What a brand brings in from its files and tables."""

    def __init__(
        self,
        state: State,
        vault: Vault,
        clock: Clock,
        ids: Ids,
        brands: Brands,
        events: Events,
        commerce: Commerce,
        audit: Audit,
        folder: Path,
        *,
        most_bytes: int = 200_000_000,
        places: Dictionary[str, PlacePlugin] | None = None,
        around: Callable[[Scope], Surroundings] = lambda _: Surroundings(),
    ) -> None:
        self.state = state
        self.vault = vault
        self.clock = clock
        self.ids = ids
        self._brands = brands
        self.events = events
        self.commerce = commerce
        self.audit = audit
        self.files = SealedFiles(folder, most_bytes)
        self.connections = Connections(self, brands, places or {})
        self.webhooks = Webhooks(self, self.connections, brands)
        self._places = Places(self, self.connections, brands, around)
        self._runner: Runner | None = None
        self._places_lease: Lease | None = None

    # ---------------------------------------------------------------------------------------------------- files
    async def take_file(self, caller: Caller, name: str, chunks: AsyncIterator[bytes]) -> KeptFile:
        """Keep an uploaded file, sealed, until it was imported. Raises TooLarge."""
        cipher = self.vault.cipher(caller.scope.brand_id, "seal")
        stored_as, size = await self.files.take(cipher, chunks)
        return self._remember(caller, name, stored_as, size)

    def keep_file(self, caller: Caller, name: str, data: bytes) -> KeptFile:
        """Keep bytes that are at hand as a file, sealed, until it was imported. Raises TooLarge."""
        stored_as = self.files.keep(self.vault.cipher(caller.scope.brand_id, "seal"), data)
        return self._remember(caller, name, stored_as, len(data))

    def _remember(self, caller: Caller, name: str, stored_as: str, size: int) -> KeptFile:
        now = self.clock.now()
        shown = re.sub(r"[\x00-\x1f\x7f/\\]+", "_", name).strip()[-120:] or "file"
        kept = KeptFile(self.ids.new("file"), shown, size, stored_as, now, now + _KEPT)
        with self.state.write() as tx:
            saved.add_file(tx, caller.scope.brand_id, kept, caller.name)
            self.audit.record(caller, "import_file_uploaded", kept.file_id, {"bytes": size}, tx=tx)
        return kept

    def forget_file(self, caller: Caller, file_id: str) -> None:
        """Delete an uploaded file now. Raises NotFound."""
        with self.state.write() as tx:
            kept = saved.find_file(tx, caller.scope.brand_id, file_id)
            saved.forget_files(tx, [file_id])
            self.audit.record(caller, "import_file_deleted", file_id, {}, tx=tx)
        self.files.forget(kept.stored_as)

    def _read(self, scope: Scope, file_id: str, mapping: Mapping) -> Read:
        with self.state.read() as tx:
            kept = saved.find_file(tx, scope.brand_id, file_id)
        data = self.files.open(self.vault.cipher(scope.brand_id, "seal"), kept.stored_as)
        return read(data, kept.name, mapping.read)

    # ------------------------------------------------------------------------------------------------- looking
    def inspect(self, scope: Scope, file_id: str, document: Any = None) -> tuple[Inspected, list[Suggestion]]:
        """What is in a file, and the mappings that fit it. `document` says how to read it (its `read` part)."""
        shape = {"target": "stores", "key": ["-"], "fields": {"store_id": "-", "name": "-"}, "read": document or {}}
        found = looking.inspect(self._read(scope, file_id, parse(shape)), scope.time_zone)
        return found, suggest(found.columns)

    def preview(self, scope: Scope, file_id: str, document: Any) -> Previewed:
        """What a mapping would make of a file. Raises Invalid for a document that is no mapping."""
        mapping = parse(document)
        found = self._read(scope, file_id, mapping)
        return looking.preview(make(mapping, found, time_zone=scope.time_zone, now=micros(self.clock.now())))

    # ------------------------------------------------------------------------------------------------ mappings
    def list_mappings(self, scope: Scope) -> list[SavedMapping]:
        """The brand's mappings by name."""
        with self.state.read() as tx:
            return saved.mappings(tx, scope.brand_id)

    def get_mapping(self, scope: Scope, mapping_id: str) -> SavedMapping:
        """The newest version of a mapping. Raises NotFound."""
        with self.state.read() as tx:
            found = saved.mappings(tx, scope.brand_id, mapping_id)
        if not found:
            raise errors.mapping_not_found(mapping_id)
        return found[0]

    def save_mapping(
        self,
        caller: Caller,
        name: str,
        document: Any,
        *,
        source: str | None = None,
        mapping_id: str | None = None,
        version: int | None = None,
    ) -> SavedMapping:
        """Save a mapping, or the next version of one; `version` is the one that was edited.

        `source` is the source of its events: what shares one shares business keys. Raises Invalid, NotFound,
        Conflict (somebody else saved meanwhile; the source belongs to something else).
        """
        mapping, scope, now = parse(document), caller.scope, self.clock.now()
        before = self.get_mapping(scope, mapping_id) if mapping_id else None
        if before and version is not None and before.version != version:
            raise errors.mapping_stale(before.version)
        mapping_id = mapping_id or self.ids.new("map")
        source = before.source if before else f"{scope.brand}.{source or 'import_' + mapping_id[-8:]}"
        with self.state.write() as tx:
            self.events.sources.ensure(
                tx, source=source, brand_id=scope.brand_id, name=same(name), kind="file", channel=_channel(mapping)
            )
            made = saved.add_mapping(tx, scope.brand_id, mapping_id, name, source, mapping, caller.name, now)
            self.audit.record(caller, "import_mapping_saved", mapping_id, {"version": made, "source": source}, tx=tx)
        return SavedMapping(mapping_id, made, name, source, mapping, caller.name, now)

    def put_mapping_away(self, caller: Caller, mapping_id: str) -> None:
        """Take a mapping off the list. Raises NotFound."""
        with self.state.write() as tx:
            if not saved.put_away(tx, caller.scope.brand_id, mapping_id):
                raise errors.mapping_not_found(mapping_id)
            self.audit.record(caller, "import_mapping_archived", mapping_id, {}, tx=tx)

    # ---------------------------------------------------------------------------------------------------- jobs
    def start(self, caller: Caller, file_id: str, mapping_id: str, *, most_bad: int = 1_000) -> Job:
        """Queue the import of a file by the newest version of a mapping. Raises NotFound.

        With more than `most_bad` refused rows nothing is imported: then it is the mapping that is wrong.
        """
        mapping = self.get_mapping(caller.scope, mapping_id)
        with self.state.write() as tx:
            kept = saved.find_file(tx, caller.scope.brand_id, file_id)
            job = self.new_job(caller, mapping, kept.name, file_id=file_id, most_bad=most_bad)
            saved.add_job(tx, job)
            self.audit.record(caller, "import_started", job.job_id, {"mapping": mapping_id}, tx=tx)
        return job

    def new_job(
        self,
        caller: Caller,
        mapping: SavedMapping,
        title: str,
        *,
        file_id: str | None = None,
        connection_id: str | None = None,
        most_bad: int = 1_000,
    ) -> Job:
        """A job that is not queued yet."""
        return Job(
            job_id=self.ids.new("imp"),
            mapping_id=mapping.mapping_id,
            mapping_version=mapping.version,
            source=mapping.source,
            file_id=file_id,
            connection_id=connection_id,
            title=title[:200],
            status="queued",
            most_bad=most_bad,
            **dict.fromkeys(_COUNTS, 0),
            problem=None,
            made_by=caller.name,
            made_at=self.clock.now(),
            ended_at=None,
            brand_id=caller.scope.brand_id,
        )

    def list_jobs(
        self, scope: Scope, before: tuple[int, str] | None, limit: int, connection_id: str | None = None
    ) -> list[Job]:
        """The brand's jobs, newest first."""
        with self.state.read() as tx:
            return saved.jobs(tx, scope.brand_id, before, limit, connection_id)

    def get_job(self, scope: Scope, job_id: str) -> Job:
        """One job. Raises NotFound."""
        with self.state.read() as tx:
            return saved.find_job(tx, scope.brand_id, job_id)

    def cancel(self, caller: Caller, job_id: str) -> Job:
        """Stop a job; what it recorded stays. Raises NotFound, Conflict when it has ended."""
        with self.state.write() as tx:
            job = saved.find_job(tx, caller.scope.brand_id, job_id)
            if not saved.end_job(tx, job_id, "cancelled", self.clock.now()):
                raise errors.job_over(job.status)
            if job.connection_id and job.file_id is None:
                self.connections.put_off(tx, caller.scope, job.connection_id)
            self.audit.record(caller, "import_cancelled", job_id, {}, tx=tx)
            return saved.find_job(tx, caller.scope.brand_id, job_id)

    def bad_rows(self, scope: Scope, job_id: str, limit: int = 200) -> list[BadRowView]:
        """The refused rows of a job as far as they have reached quarantine, masked. Raises NotFound."""
        self.get_job(scope, job_id)
        return [looking.bad_row(row) for row in self.events.quarantine.refused_rows(scope, job_id, limit)]

    def bad_rows_csv(self, caller: Caller, job_id: str) -> str:
        """The refused rows of a job as CSV, to be mended and uploaded again. Audited.

        In clear for whoever started the import or may see people in clear, masked for others.
        """
        job = self.get_job(caller.scope, job_id)
        found: Sequence[Any] = self.events.quarantine.refused_rows(caller.scope, job_id)
        with self.state.write() as tx:
            self.audit.record(caller, "import_errors_downloaded", job_id, {"rows": len(found)}, tx=tx)
        clear = caller.may("people.reveal") or job.made_by == caller.name
        return looking.csv_of(found, caller.language, clear=clear)

    def follow_places(self, holder: str) -> bool:
        """Read the place that is due first (a worker's step); whether there was one."""
        if self._places_lease is None:
            self._places_lease = Lease(self.state, self.clock, "import_places", holder, _LEASE)
        return self._places.step(self._places_lease)

    def runner(self, holder: str) -> Runner:
        """What runs the jobs, for a worker."""
        if self._runner is None:
            lease = Lease(self.state, self.clock, "imports", holder, _LEASE)
            self._runner = Runner(
                self.state, self.vault, self.clock, self._brands, self.events, self.commerce, self.files, lease
            )
        return self._runner


_COUNTS: tuple[Any, ...] = (
    "rows",
    "events",
    "done",
    "fresh",
    "corrected",
    "unchanged",
    "bad",
    "skipped",
    "repeated",
    "masked",
)


def _channel(mapping: Mapping) -> str | None:
    return mapping.channel.const if mapping.channel else None
