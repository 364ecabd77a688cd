// A file, step by step: choose it, say which column is what, look at what it becomes, run, see what was refused.
import { InboxOutlined } from "@ant-design/icons";
import { App, Button, Checkbox, Input, Select } from "antd";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { RUNNING, useImportActions, useJob, useMappings, type Document, type ImportFile, type Inspected, type Preview, type SavedMapping } from "@/features/imports/api";
import { ColumnTable } from "@/features/imports/columns";
import { BadRows, JobBooks } from "@/features/imports/jobs";
import { blank, lacking, ROLES, type Target } from "@/features/imports/model";
import { PreviewTable } from "@/features/imports/preview";
import { say } from "@/shared/api";
import { bytes, integer, listed } from "@/shared/format";
import { useSession } from "@/shared/session";
import { Card, ErrorState, sentenceOf } from "@/shared/ui";

const FORMATS = ".csv,.tsv,.txt,.xlsx,.xls,.parquet,.ndjson,.jsonl,.json";
const MOST_BAD = 1000;

export function Wizard() {
  const { t } = useTranslation("imports");
  const { message } = App.useApp();
  const { brand } = useSession();
  const actions = useImportActions();
  const saved = useMappings(brand.brand);
  const [file, setFile] = useState<ImportFile | null>(null);
  const [found, setFound] = useState<Inspected | null>(null);
  const [mapping, setMapping] = useState<Document>(blank("events"));
  const [chosen, setChosen] = useState<string | undefined>();
  const [name, setName] = useState("");
  const [before, setBefore] = useState<SavedMapping | undefined>();
  const [preview, setPreview] = useState<Preview | null>(null);
  const [jobId, setJobId] = useState<string | null>(null);
  const job = useJob(jobId).data;

  const fail = (error: unknown) => void message.error(sentenceOf(error, t("shell:states.error")), 6);
  const change = (next: Document) => { setMapping(next); setPreview(null); };
  const again = () => { setFile(null); setFound(null); setMapping(blank("events")); setChosen(undefined); setBefore(undefined); setName(""); setPreview(null); setJobId(null); };

  const choose = (key: string, inspected: Inspected) => {
    setChosen(key);
    const mine = saved.data?.items.find((one) => one.mapping_id === key);
    const suggestion = inspected.suggestions.find((_, place) => `s${place}` === key);
    setBefore(mine);
    if (mine) { change(mine.mapping as Document); setName(mine.name); }
    else if (suggestion) { change(suggestion.mapping as Document); setName(say(suggestion.name)); }
    else { change(blank("events")); setName(""); }
  };

  const take = (picked: File) => {
    again();
    actions.upload.mutate(picked, {
      onError: fail,
      onSuccess: (kept) => {
        setFile(kept);
        actions.inspect.mutate({ id: kept.file_id }, { onSuccess: (inspected) => { setFound(inspected); choose("s0", inspected); if (!inspected.suggestions.length) setChosen("blank"); } });
      },
    });
  };
  const reread = (read: Document) => {
    if (!file) return;
    change({ ...mapping, read });
    actions.inspect.mutate({ id: file.file_id, read }, { onError: fail, onSuccess: setFound });
  };
  const look = () => { if (file) actions.preview.mutate({ id: file.file_id, mapping }, { onError: fail, onSuccess: setPreview }); };
  const run = () => {
    if (!file) return;
    const ready = found?.suggestions.find((_, place) => `s${place}` === chosen)?.ready;
    actions.save.mutate(
      { name: name || file.name, mapping, before, source: ready ? sourceOf(ready) : undefined },
      {
        onError: fail,
        onSuccess: (kept) => {
          setBefore(kept);
          actions.start.mutate({ file_id: file.file_id, mapping_id: kept.mapping_id, most_bad: MOST_BAD }, { onError: fail, onSuccess: (made) => setJobId(made.job_id) });
        },
      },
    );
  };

  if (!file) return <DropZone take={take} busy={actions.upload.isPending} />;
  const columns = found?.columns ?? [];
  const missing = lacking(mapping);
  // The server keeps a file of which something was not taken: by another mapping the rest of it may be.
  const mendable = job !== undefined && !RUNNING.includes(job.status) && (job.status !== "done" || job.bad > 0);
  const target = mapping["target"] as Target;
  const read = (mapping["read"] ?? {}) as { sheet?: string; header_row?: number };
  return (
    <div className="grid">
      <Card title={file.name} extra={<Button onClick={again}>{t("another")}</Button>}>
        {found ? (
          <p className="faint">
            {t("read", { rows: integer(found.rows), columns: columns.length, size: bytes(file.bytes) })}
            {found.encoding ? ` · ${found.encoding.toUpperCase()}` : ""}{found.ragged ? ` · ${t("ragged", { n: integer(found.ragged) })}` : ""}
          </p>
        ) : actions.inspect.isError ? <ErrorState error={actions.inspect.error} /> : <p className="faint">{t("reading")}</p>}
        <div className="fields">
        {found && !found.rows ? <p className="warn" role="status">{t("noRows")}</p> : null}
        {found?.sheets.length ? (
          <label className="field">{t("sheet")}
            <Select value={read.sheet ?? found.sheets[0]} options={found.sheets.map((value) => ({ value, label: value }))} onChange={(sheet) => reread({ ...read, sheet })} />
          </label>
        ) : null}
        {found ? (
          <label className="field">{t("header")}
            <Select value={read.header_row ?? 1} options={[1, 2, 3, 4, 5, 6].map((value) => ({ value, label: t("line", { n: value }) }))} onChange={(header_row) => reread({ ...read, header_row })} />
          </label>
        ) : null}
        </div>
      </Card>
      {found ? (
        <Card title={t("map")}>
          <div className="fields">
            <label className="field">{t("mapping")}
              <Select
                data-testid="choose-mapping"
                value={chosen}
                onChange={(key) => choose(key, found)}
                options={[
                  { label: t("suggested"), options: found.suggestions.map((one, place) => ({ value: `s${place}`, label: `${say(one.name)}${one.ready ? ` · ${t("fits", { n: Math.round(one.fits * 100) })}` : ""}` })) },
                  { label: t("savedOnes"), options: (saved.data?.items ?? []).map((one) => ({ value: one.mapping_id, label: `${one.name} · v${one.version}` })) },
                  { label: t("own"), options: [{ value: "blank", label: t("blank") }] },
                ]}
              />
            </label>
            <label className="field">{t("becomes")}
              <Select value={target} onChange={(to: Target) => change(blank(to))} options={(Object.keys(ROLES) as Target[]).map((value) => ({ value, label: t(`targets.${value}`) }))} />
            </label>
            <label className="field">{t("mappingName")}<Input value={name} maxLength={100} onChange={(event) => setName(event.target.value)} /></label>
          </div>
          <Choices mapping={mapping} change={change} />
          <ColumnTable columns={columns} mapping={mapping} change={change} />
          <div className="row">
            <Button type="primary" data-testid="preview" disabled={missing.length > 0} loading={actions.preview.isPending} onClick={look}>{t("look")}</Button>
            {missing.length ? <span className="warn">{t("missing", { what: listed(missing.map((one) => t(`roles.${one}`))) })}</span> : null}
          </div>
        </Card>
      ) : null}
      {preview ? (
        <Card title={t("preview")}>
          <PreviewTable preview={preview} />
          <div className="row">
            <Button type="primary" data-testid="run-import" disabled={!preview.events || (jobId !== null && !mendable)} loading={actions.save.isPending || actions.start.isPending} onClick={run}>
              {t("run", { n: integer(preview.events) })}
            </Button>
            {preview.bad ? <span className="warn">{t("badStay", { n: integer(preview.bad) })}</span> : null}
          </div>
        </Card>
      ) : null}
      {job ? (
        <Card title={t("result")} extra={RUNNING.includes(job.status) ? <Button onClick={() => actions.cancel.mutate(job.job_id, { onError: fail })}>{t("stop")}</Button> : <Button onClick={again}>{t("another")}</Button>}>
          <JobBooks job={job} />
          {job.bad ? <BadRows job={job} /> : null}
        </Card>
      ) : null}
    </div>
  );
}

/** Ready mappings of one system share a source, so that its exports share their business keys. */
function sourceOf(ready: string): string {
  return ready.startsWith("tmall") ? "tmall" : ready.replace(/_(orders|products)$/, "");
}

function Choices({ mapping, change }: { mapping: Document; change: (next: Document) => void }) {
  const { t } = useTranslation("imports");
  if (mapping["target"] !== "events") return null;
  const name = (mapping["name"] ?? {}) as { const?: string };
  const amount = mapping["amount"];
  const money = (typeof amount === "string" || Array.isArray(amount) ? { column: amount } : amount) as { unit?: string; lines?: string } | undefined;
  return (
    <div className="fields">
      {name.const === undefined ? null : (
        <label className="field">{t("event")}
          <Select
            value={name.const}
            showSearch
            options={["order_paid", "order_refunded", "coupon_redeemed", "product_viewed", "stock_reported", "contact_added"].map((value) => ({ value, label: t(`events.${value}`) }))}
            onChange={(value) => change({ ...mapping, name: { const: value } })}
          />
        </label>
      )}
      <Checkbox checked={mapping["grouped"] === true} onChange={(event) => change({ ...mapping, grouped: event.target.checked })}>{t("grouped")}</Checkbox>
      {mapping["grouped"] ? <Checkbox checked={mapping["fill_down"] === true} onChange={(event) => change({ ...mapping, fill_down: event.target.checked })}>{t("fillDown")}</Checkbox> : null}
      {money ? (
        <label className="field">{t("unit")}
          <Select value={money.unit ?? "yuan"} options={["yuan", "cents"].map((value) => ({ value, label: t(`units.${value}`) }))} onChange={(unit) => change({ ...mapping, amount: { ...money, unit } })} />
        </label>
      ) : null}
      {money && mapping["grouped"] ? (
        <label className="field">{t("amountOf")}
          <Select value={money.lines ?? "first"} options={["first", "sum"].map((value) => ({ value, label: t(`lines.${value}`) }))} onChange={(lines) => change({ ...mapping, amount: { ...money, lines } })} />
        </label>
      ) : null}
    </div>
  );
}

function DropZone({ take, busy }: { take: (file: File) => void; busy: boolean }) {
  const { t } = useTranslation("imports");
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  return (
    <section
      className={over ? "card drop drop-over" : "card drop"}
      onDragOver={(event) => { event.preventDefault(); setOver(true); }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => { event.preventDefault(); setOver(false); const dropped = event.dataTransfer.files[0]; if (dropped) take(dropped); }}
    >
      <InboxOutlined aria-hidden />
      <strong>{t("drop")}</strong>
      <p className="faint">{t("dropHint")}</p>
      <Button type="primary" loading={busy} onClick={() => input.current?.click()}>{t("choose")}</Button>
      <input ref={input} data-testid="import-file" type="file" accept={FORMATS} hidden onChange={(event) => { const picked = event.target.files?.[0]; if (picked) take(picked); event.target.value = ""; }} />
    </section>
  );
}
