"""Routes of imports under /api/v1: upload, look, map, run, and what was refused.

Annotations are evaluated here: FastAPI cannot resolve them as text when they name a local guard.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from quanyu.access.api import Guard
from quanyu.access.contracts import Caller
from quanyu.events.api import reason_label
from quanyu.imports.api import Imports, dump, ready
from quanyu.imports.routes_models import (
    BadRowOut,
    BadRowPage,
    ImportColumnOut,
    ImportConnectionChange,
    ImportConnectionIn,
    ImportConnectionKindOut,
    ImportConnectionKindPage,
    ImportConnectionMade,
    ImportConnectionOut,
    ImportConnectionPage,
    ImportFileOut,
    ImportIn,
    ImportInspectedOut,
    ImportOut,
    ImportPage,
    ImportPreviewIn,
    ImportPreviewOut,
    InspectIn,
    LabelOut,
    MappingChange,
    MappingIn,
    MappingOut,
    MappingPage,
    ReadyOut,
    ReadyPage,
    RefusedCount,
    SuggestionOut,
)
from quanyu.kernel.clock import micros

_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def router(imports: Imports, guard: Guard) -> APIRouter:
    """The routes of imports."""
    routes = APIRouter(tags=["imports"])
    reader = Depends(guard.permit("sources.read"))
    writer = Depends(guard.permit("sources.write"))

    @routes.post("/imports/files", status_code=201, openapi_extra=_BODY, summary="Upload a file: its bytes as they are")
    async def upload_import_file(
        request: Request,
        name: Annotated[str, Query(min_length=1, max_length=200, description="What the file is called")],
        caller: Annotated[Caller, writer],
    ) -> ImportFileOut:
        return ImportFileOut.model_validate(await imports.take_file(caller, name, request.stream()))

    @routes.delete("/imports/files/{file_id}", status_code=204, summary="Delete an uploaded file now")
    def delete_import_file(file_id: str, caller: Annotated[Caller, writer]) -> None:
        imports.forget_file(caller, file_id)

    @routes.post("/imports/files/{file_id}/inspect", summary="Columns, sample and fitting mappings of a file")
    def inspect_import_file(file_id: str, body: InspectIn, caller: Annotated[Caller, writer]) -> ImportInspectedOut:
        found, suggestions = imports.inspect(caller.scope, file_id, body.read)
        return ImportInspectedOut(
            format=found.format,  # type: ignore[arg-type]
            encoding=found.encoding,
            delimiter=found.delimiter,
            sheets=list(found.sheets),
            rows=found.rows,
            ragged=found.ragged,
            columns=[ImportColumnOut.model_validate(column) for column in found.columns],
            sample=[dict(row) for row in found.sample],
            suggestions=[SuggestionOut.of(one) for one in suggestions],
        )

    @routes.post("/imports/files/{file_id}/preview", summary="What a mapping would make of a file; records nothing")
    def preview_import(file_id: str, body: ImportPreviewIn, caller: Annotated[Caller, writer]) -> ImportPreviewOut:
        found = imports.preview(caller.scope, file_id, body.mapping)
        return ImportPreviewOut(
            rows=found.rows,
            events=found.events,
            bad=found.bad,
            skipped=found.skipped,
            repeated=found.repeated,
            masked=found.masked,
            first=[dict(one) for one in found.first],
            bad_rows=[BadRowOut.model_validate(row) for row in found.bad_rows],
            reasons=[
                RefusedCount(
                    reason=reason, label=LabelOut.model_validate(reason_label(reason)), column=column, rows=rows
                )
                for reason, column, rows in found.reasons
            ],
        )

    @routes.get("/imports/ready-mappings", summary="Ready mappings for exports that many brands have")
    def list_ready_mappings(_: Annotated[Caller, reader]) -> ReadyPage:
        return ReadyPage(
            items=[
                ReadyOut(
                    key=key,
                    name=LabelOut.model_validate(name),
                    source=source,
                    target=mapping.target,
                    mapping=dump(mapping),
                )
                for key, (name, source, mapping) in ready().items()
            ]
        )

    @routes.get("/imports/mappings", summary="Saved mappings")
    def list_import_mappings(caller: Annotated[Caller, reader]) -> MappingPage:
        return MappingPage(items=[MappingOut.of(one) for one in imports.list_mappings(caller.scope)])

    @routes.post("/imports/mappings", status_code=201, summary="Save a mapping")
    def create_import_mapping(body: MappingIn, caller: Annotated[Caller, writer]) -> MappingOut:
        return MappingOut.of(imports.save_mapping(caller, body.name, body.mapping, source=body.source))

    @routes.put("/imports/mappings/{mapping_id}", summary="Save the next version of a mapping")
    def change_import_mapping(mapping_id: str, body: MappingChange, caller: Annotated[Caller, writer]) -> MappingOut:
        return MappingOut.of(
            imports.save_mapping(caller, body.name, body.mapping, mapping_id=mapping_id, version=body.version)
        )

    @routes.delete("/imports/mappings/{mapping_id}", status_code=204, summary="Take a mapping off the list")
    def archive_import_mapping(mapping_id: str, caller: Annotated[Caller, writer]) -> None:
        imports.put_mapping_away(caller, mapping_id)

    @routes.get("/imports", summary="Imports, newest first")
    def list_imports(
        caller: Annotated[Caller, reader],
        connection_id: str | None = None,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> ImportPage:
        at, dash, job_id = (cursor or "").partition("-")
        before = (int(at), job_id) if dash and at.isdigit() else None
        found = imports.list_jobs(caller.scope, before, limit, connection_id)
        more = f"{micros(found[-1].made_at)}-{found[-1].job_id}" if len(found) == limit else None
        return ImportPage(items=[ImportOut.of(job) for job in found], next_cursor=more)

    @routes.post("/imports", status_code=201, summary="Import a file by a saved mapping")
    def start_import(body: ImportIn, caller: Annotated[Caller, writer]) -> ImportOut:
        return ImportOut.of(imports.start(caller, body.file_id, body.mapping_id, most_bad=body.most_bad))

    @routes.get("/imports/{job_id}", summary="How far an import is")
    def read_import(job_id: str, caller: Annotated[Caller, reader]) -> ImportOut:
        return ImportOut.of(imports.get_job(caller.scope, job_id))

    @routes.post("/imports/{job_id}/cancel", summary="Stop an import; what it recorded stays")
    def cancel_import(job_id: str, caller: Annotated[Caller, writer]) -> ImportOut:
        return ImportOut.of(imports.cancel(caller, job_id))

    @routes.get("/imports/{job_id}/errors", summary="The refused rows of an import")
    def list_import_errors(
        job_id: str, caller: Annotated[Caller, reader], limit: Annotated[int, Query(ge=1, le=1000)] = 200
    ) -> BadRowPage:
        return BadRowPage(
            items=[BadRowOut.model_validate(row) for row in imports.bad_rows(caller.scope, job_id, limit)]
        )

    @routes.get(
        "/imports/{job_id}/errors.csv",
        summary="The refused rows as they were, as CSV, to be mended and uploaded again (audited)",
        response_class=Response,
        responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    )
    async def download_import_errors(job_id: str, caller: Annotated[Caller, writer]) -> Response:
        text = await run_in_threadpool(imports.bad_rows_csv, caller, job_id)
        headers = {"Content-Disposition": f'attachment; filename="import-errors-{job_id[-8:]}.csv"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    return routes


def connections_router(imports: Imports, guard: Guard) -> APIRouter:
    """The routes of connections: places that are read on a schedule, and webhooks."""
    routes = APIRouter(tags=["imports"])
    reader = Depends(guard.permit("sources.read"))
    writer = Depends(guard.permit("sources.write"))
    doors = imports.connections

    @routes.get("/import-connection-kinds", summary="Kinds of connections, each with the form of its configuration")
    def list_import_connection_kinds(_: Annotated[Caller, reader]) -> ImportConnectionKindPage:
        return ImportConnectionKindPage(
            items=[
                ImportConnectionKindOut(kind=key, name=LabelOut.model_validate(label), form=model.model_json_schema())
                for key, label, model in doors.forms()
            ]
        )

    @routes.get("/import-connections", summary="Connections with how they do")
    def list_import_connections(caller: Annotated[Caller, reader]) -> ImportConnectionPage:
        return ImportConnectionPage(items=[ImportConnectionOut.model_validate(one) for one in doors.list(caller.scope)])

    @routes.post("/import-connections", status_code=201, summary="Make a connection; a webhook's path is shown once")
    def create_import_connection(body: ImportConnectionIn, caller: Annotated[Caller, writer]) -> ImportConnectionMade:
        made, secret = doors.create(
            caller,
            kind=body.kind,
            name=body.name,
            mapping_id=body.mapping_id,
            config=body.config,
            schedule=body.schedule,
        )
        path = f"/hooks/imports/{secret}" if secret else None
        return ImportConnectionMade(**ImportConnectionOut.model_validate(made).model_dump(), path=path)

    @routes.put("/import-connections/{connection_id}", summary="Change a connection")
    def change_import_connection(
        connection_id: str, body: ImportConnectionChange, caller: Annotated[Caller, writer]
    ) -> ImportConnectionOut:
        return ImportConnectionOut.model_validate(
            doors.change(
                caller,
                connection_id,
                name=body.name,
                mapping_id=body.mapping_id,
                config=body.config,
                schedule=body.schedule,
                active=body.active,
                from_start=body.from_start,
            )
        )

    @routes.post("/import-connections/{connection_id}/run", summary="Read a place now")
    def run_import_connection(connection_id: str, caller: Annotated[Caller, writer]) -> ImportConnectionOut:
        return ImportConnectionOut.model_validate(doors.run_soon(caller, connection_id))

    @routes.delete("/import-connections/{connection_id}", status_code=204, summary="Remove a connection")
    def delete_import_connection(connection_id: str, caller: Annotated[Caller, writer]) -> None:
        doors.delete(caller, connection_id)

    return routes
