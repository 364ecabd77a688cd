// One event of the plan: what it means, who owns it, where it may come from, and its properties.
import { Button, Checkbox, Drawer, Input, InputNumber, Popconfirm, Select } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { allowedOf, newProperty, RULES, TYPES, UNDECLARED, type PlanEvent, type Property } from "@/features/plan/api";
import { useSourceChoices } from "@/shared/sources";

interface Props {
  name: string;
  /** What the event is called; empty for one without a name of its own. */
  label: string;
  event: PlanEvent;
  taken: string[];
  writable: boolean;
  close: () => void;
  save: (name: string, event: PlanEvent) => void;
  remove: () => void;
}

export default function EventDrawer({ name, label, event, taken, writable, close, save, remove }: Props) {
  const { t } = useTranslation("plan");
  const choices = useSourceChoices();
  const [key, setKey] = useState(name);
  const [draft, setDraft] = useState(event);
  const [rows, setRows] = useState<[string, Property][]>(Object.entries(event.properties ?? {}).sort(([a], [b]) => a.localeCompare(b)));
  const put = (patch: Partial<PlanEvent>) => setDraft({ ...draft, ...patch });
  const set = (at: number, next: [string, Property]) => setRows(rows.map((row, i) => (i === at ? next : row)));
  const names = rows.map(([property]) => property.trim());
  const problem = !key.trim() ? t("nameNeeded") : key !== name && taken.includes(key) ? t("nameTaken") : names.some((one) => !one) ? t("propertyNeeded") : new Set(names).size < names.length ? t("propertyTwice") : null;
  const finish = () => save(key.trim(), { ...draft, properties: Object.fromEntries(rows.map(([property, one]) => [property.trim(), one])) });
  return (
    <Drawer
      open
      size={860}
      onClose={close}
      title={name ? (label && label !== name ? `${label} · ${name}` : name) : t("addEvent")}
      footer={
        writable ? (
          <div className="plan-foot">
            {name ? (
              <Popconfirm title={t("removeTitle")} onConfirm={remove}>
                <Button danger>{t("removeEvent")}</Button>
              </Popconfirm>
            ) : null}
            <span className="plan-wrong" role="alert">{problem}</span>
            <Button type="primary" data-testid="event-save" disabled={!!problem} onClick={finish}>{t("keep")}</Button>
          </div>
        ) : null
      }
    >
      <fieldset disabled={!writable} className="plan-form">
        <label><span>{t("event")}</span><Input value={key} data-testid="event-name" onChange={(change) => setKey(change.target.value)} /></label>
        <label><span>{t("owner")}</span><Input value={draft.owner} onChange={(change) => put({ owner: change.target.value })} /></label>
        <label className="wide"><span>{t("description")}</span><Input value={draft.description} onChange={(change) => put({ description: change.target.value })} /></label>
        <label className="wide"><span>{t("sources")}</span><Select mode="tags" optionFilterProp="label" placeholder={t("allSources")} options={choices} value={draft.sources} onChange={(sources) => put({ sources })} /></label>
        <label><span>{t("rule")}</span><Select value={draft.rule} onChange={(rule) => put({ rule })} options={RULES.map((value) => ({ value, label: t(`rules.${value}`) }))} /></label>
        <label><span>{t("undeclaredProperties")}</span><Select value={draft.undeclared} onChange={(undeclared) => put({ undeclared })} options={UNDECLARED.map((value) => ({ value, label: t(`undeclared.${value}`) }))} /></label>
      </fieldset>
      <h2>{t("properties")}</h2>
      <ul className="plan-properties">
        {rows.map(([property, one], i) => (
          <li key={i}>
            <PropertyForm name={property} one={one} writable={writable} change={(next, value) => set(i, [next, value])} remove={() => setRows(rows.filter((_, other) => other !== i))} />
          </li>
        ))}
      </ul>
      {writable ? <Button data-testid="property-add" onClick={() => setRows([...rows, ["", newProperty()]])}>{t("addProperty")}</Button> : null}
    </Drawer>
  );
}

interface PropertyProps {
  name: string;
  one: Property;
  writable: boolean;
  change: (name: string, one: Property) => void;
  remove: () => void;
}

function PropertyForm({ name, one, writable, change, remove }: PropertyProps) {
  const { t } = useTranslation("plan");
  const choices = useSourceChoices();
  const put = (patch: Partial<Property>) => change(name, { ...one, ...patch });
  const numeric = one.type === "number" || one.type === "integer";
  const listed = numeric || one.type === "text" || one.type === "any";
  return (
    <fieldset disabled={!writable} className="plan-form plan-property">
      <label><span>{t("property")}</span><Input value={name} onChange={(event) => change(event.target.value, one)} /></label>
      <label><span>{t("type")}</span><Select value={one.type} onChange={(type) => put({ type, ...(["number", "integer"].includes(type) ? {} : { minimum: null, maximum: null }), allowed: [] })} options={TYPES.map((value) => ({ value, label: t(`types.${value}`) }))} /></label>
      <label><span>{t("propertyRule")}</span><Select allowClear placeholder={t("asEvent")} value={one.rule ?? undefined} onChange={(rule?: Property["rule"]) => put({ rule: rule ?? null })} options={RULES.map((value) => ({ value, label: t(`rules.${value}`) }))} /></label>
      <div className="plan-checks">
        <Checkbox checked={!!one.required} onChange={(event) => put({ required: event.target.checked })}>{t("required")}</Checkbox>
        <Checkbox checked={!!one.personal} onChange={(event) => put({ personal: event.target.checked })}>{t("personal")}</Checkbox>
      </div>
      <label><span>{t("description")}</span><Input value={one.description} onChange={(event) => put({ description: event.target.value })} /></label>
      <label><span>{t("unit")}</span><Input value={one.unit} onChange={(event) => put({ unit: event.target.value })} /></label>
      <label><span>{t("owner")}</span><Input value={one.owner} onChange={(event) => put({ owner: event.target.value })} /></label>
      <label><span>{t("propertySources")}</span><Select mode="tags" optionFilterProp="label" placeholder={t("allSources")} options={choices} value={one.sources} onChange={(sources) => put({ sources })} /></label>
      {listed ? <label className="wide"><span>{t("allowed")}</span><Select mode="tags" placeholder={t("anyValue")} value={(one.allowed ?? []).map(String)} onChange={(values: string[]) => put({ allowed: allowedOf(values, one.type) })} /></label> : null}
      {numeric ? <label><span>{t("minimum")}</span><InputNumber value={one.minimum} onChange={(minimum) => put({ minimum })} /></label> : null}
      {numeric ? <label><span>{t("maximum")}</span><InputNumber value={one.maximum} onChange={(maximum) => put({ maximum })} /></label> : null}
      {writable ? <Button size="small" className="plan-remove" onClick={remove}>{t("shell:actions.delete")}</Button> : null}
    </fieldset>
  );
}
