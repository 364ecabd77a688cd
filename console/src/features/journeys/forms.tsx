// One short form per kind of node. What is not needed yet is not shown.
import { EditOutlined, PlusOutlined } from "@ant-design/icons";
import { Alert, Button, Input, InputNumber, Segmented, Select, Space } from "antd";
import { useId, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { say } from "@/shared/api";
import { PhonePreview } from "@/shared/phone";
import { integer, money, percent } from "@/shared/format";
import { asGroup, emptyTree, FilterList, OptionSelect, RuleTree, useDebounced, type Filter, type Group, type TreeNode } from "@/shared/ruletree";
import { useConnections, useCoupons, useTemplates, useTreeCount } from "./api";
import { CouponDialog } from "./CouponDialog";
import { useEditing } from "./editing";
import { wording } from "./naming";
import { TemplateDialog } from "./TemplateDialog";
import type { Config, Coupon, JourneyNode, Template } from "./types";

interface FormProps {
  node: JourneyNode;
  set: (patch: Config, name?: string) => void;
}

export function Row({ label, hint, children, id }: { label: string; hint?: ReactNode; children: ReactNode; id?: string }) {
  return (
    <div className="jf-row">
      <label htmlFor={id}>{label}</label>
      {children}
      {hint ? <p className="faint">{hint}</p> : null}
    </div>
  );
}

function useBad(node: JourneyNode): (field: string) => "error" | "" {
  const { faults } = useEditing();
  const own = faults.get(node.id)?.errors ?? [];
  return (field) => (own.some((fault) => fault.field?.split(".")[0] === field) ? "error" : "");
}

/** A journey acts on one event; "any event" is for conditions. */
const ANY_EVENT = ["*"];

function EventPicker({ node, set, label, testId }: FormProps & { label: string; testId: string }) {
  const { readOnly } = useEditing();
  const { t } = useTranslation("journeys");
  const bad = useBad(node);
  const event = node.config["event"] as string | undefined;
  const where = (node.config["where"] as Filter[] | undefined) ?? [];
  const id = useId();
  return (
    <>
      <Row label={label} id={id}>
        <OptionSelect id={id} source="events" without={ANY_EVENT} value={event} ariaLabel={label} testId={testId} status={bad("event")} disabled={readOnly} width="100%" onChange={(next) => set({ event: next as string | undefined, where: next === event ? where : [] })} />
      </Row>
      {event ? (
        <div className="jf-row">
          <span className="jf-label">{t("form.where")}</span>
          <FilterList value={where} event={event} without={["known", "unknown"]} disabled={readOnly} label={t("form.where")} onChange={(next) => set({ where: next }, "where")} />
        </div>
      ) : null}
    </>
  );
}

export function TriggerForm({ node, set }: FormProps) {
  const { t } = useTranslation("journeys");
  const { readOnly } = useEditing();
  const bad = useBad(node);
  const id = useId();
  const on = (node.config["on"] as string | undefined) ?? "event";
  return (
    <>
      <Row label={t("form.on")}>
        <Segmented
          block
          disabled={readOnly}
          aria-label={t("form.on")}
          data-testid="trigger-on"
          value={on}
          options={[
            { value: "event", label: t("form.onEvent") },
            { value: "audience", label: t("form.onAudience") },
          ]}
          onChange={(next) => set(next === "event" ? { on: next, audience_id: undefined, change: undefined } : { on: next, event: undefined, where: undefined, change: "entered" })}
        />
      </Row>
      {on === "event" ? (
        <>
          <EventPicker node={node} set={set} label={t("form.triggerEvent")} testId="trigger-event" />
          <p className="faint">{t("form.onEventHint")}</p>
        </>
      ) : (
        <>
          <Row label={t("form.audience")} id={id}>
            <OptionSelect id={id} source="audiences" value={node.config["audience_id"] as string | undefined} ariaLabel={t("form.audience")} testId="trigger-audience" status={bad("audience_id")} disabled={readOnly} width="100%" onChange={(next) => set({ audience_id: next as string | undefined })} />
          </Row>
          <Row label={t("form.change")}>
            <Segmented
              block
              disabled={readOnly}
              aria-label={t("form.change")}
              data-testid="trigger-change"
              value={(node.config["change"] as string | undefined) ?? "entered"}
              options={[
                { value: "entered", label: t("form.entered") },
                { value: "left", label: t("form.left") },
              ]}
              onChange={(next) => set({ change: next })}
            />
          </Row>
          <p className="faint">{t("form.onAudienceHint")}</p>
        </>
      )}
    </>
  );
}

function Duration({ node, set, label }: FormProps & { label: string }) {
  const { t } = useTranslation("journeys");
  const { readOnly } = useEditing();
  const bad = useBad(node);
  const id = useId();
  const units = ["minutes", "hours", "days"];
  const unit = (node.config["unit"] as string | undefined) ?? "days";
  // Seconds exist for trying things out; they are offered only where a journey uses them already.
  if (unit === "seconds") units.unshift("seconds");
  return (
    <Row label={label} id={id}>
      <Space.Compact block>
        <InputNumber id={id} data-testid="wait-value" disabled={readOnly} status={bad("value")} min={0} max={100_000} precision={0} value={node.config["value"] as number | undefined} onChange={(next) => set({ value: next ?? undefined }, "value")} style={{ width: "50%" }} />
        <Select aria-label={t("form.unit")} data-testid="wait-unit" disabled={readOnly} value={unit} options={units.map((each) => ({ value: each, label: t(`form.units.${each}`) }))} onChange={(next) => set({ unit: next })} style={{ width: "50%" }} />
      </Space.Compact>
    </Row>
  );
}

export function WaitForm({ node, set }: FormProps) {
  const { t } = useTranslation("journeys");
  const { readOnly } = useEditing();
  const mode = (node.config["mode"] as string | undefined) ?? "duration";
  return (
    <>
      <Row label={t("form.mode")}>
        <Segmented
          block
          disabled={readOnly}
          aria-label={t("form.mode")}
          data-testid="wait-mode"
          value={mode}
          options={[
            { value: "duration", label: t("form.duration") },
            { value: "event", label: t("form.untilEvent") },
          ]}
          onChange={(next) => set(next === "event" ? { mode: next } : { mode: next, event: undefined, where: undefined })}
        />
      </Row>
      {mode === "event" ? <EventPicker node={node} set={set} label={t("form.waitEvent")} testId="wait-event" /> : null}
      <Duration node={node} set={set} label={t(mode === "event" ? "form.atMost" : "form.howLong")} />
      <p className="faint">{t(mode === "event" ? "form.waitEventHint" : "form.durationHint")}</p>
    </>
  );
}

export function BranchForm({ node, set }: FormProps) {
  const { t } = useTranslation("journeys");
  const { readOnly } = useEditing();
  const id = useId();
  const raw = node.config["tree"] as TreeNode | undefined;
  const tree = raw ? asGroup(raw) : emptyTree();
  const late = useDebounced(tree.children.length ? tree : null, 250);
  const count = useTreeCount(late);
  return (
    <>
      <Row label={t("form.branchTitle")} id={id}>
        <Input id={id} data-testid="branch-title" disabled={readOnly} maxLength={40} placeholder={t("form.branchTitleHint")} value={String(node.config["title"] ?? "")} onChange={(event) => set({ title: event.target.value }, "title")} />
      </Row>
      <div className="jf-row">
        <span className="jf-label">{t("form.branchTree")}</span>
        <RuleTree
          value={tree}
          disabled={readOnly}
          errors={count.data?.errors ?? []}
          onChange={(edit: (root: Group) => Group, name?: string) => set({ tree: edit(tree) }, name ?? undefined)}
        />
      </div>
      {late && count.data && count.data.count !== null ? (
        <p className="jf-count" aria-live="polite" style={{ opacity: count.isFetching ? 0.5 : 1 }} data-testid="branch-count">
          {t("form.branchCount", { count: integer(count.data.count), share: percent(count.data.total ? count.data.count / count.data.total : 0) })}
          <span className="faint">{say(count.data.sentence)}</span>
        </p>
      ) : null}
      <p className="faint">{t("form.branchHint")}</p>
    </>
  );
}

export function couponWords(coupon: Coupon, t: (key: string, values?: Record<string, unknown>) => string): string {
  const off = coupon.kind === "amount_off" ? t("coupon.amountOff", { value: money(coupon.value, coupon.currency) }) : t("coupon.percentOff", { value: coupon.value });
  return coupon.threshold ? t("coupon.over", { threshold: money(coupon.threshold, coupon.currency), off }) : off;
}

export function SendForm({ node, set }: FormProps) {
  const { t } = useTranslation("journeys");
  const { readOnly, settings } = useEditing();
  const bad = useBad(node);
  const [templateDialog, setTemplateDialog] = useState<Template | "new" | null>(null);
  const [couponDialog, setCouponDialog] = useState(false);
  const connections = useConnections();
  const templates = useTemplates();
  const coupons = useCoupons();
  const ids = { connection: useId(), template: useId(), coupon: useId() };
  const template = templates.data?.items.find((each) => each.template_id === node.config["template_id"]);
  const coupon = coupons.data?.items.find((each) => each.coupon_id === node.config["coupon_id"]);
  return (
    <>
      <Row label={t("form.connection")} id={ids.connection}>
        <Select
          id={ids.connection}
          data-testid="send-connection"
          disabled={readOnly}
          status={bad("connection")}
          loading={connections.isPending}
          placeholder={t("form.choose")}
          notFoundContent={t("form.noConnections")}
          value={node.config["connection"] as string | undefined}
          options={(connections.data?.items ?? []).map((each) => ({ value: each.connection, label: each.enabled ? each.name : t("form.off", { name: each.name }), title: wording(each.label), disabled: !each.enabled }))}
          onChange={(next: string) => set({ connection: next })}
        />
      </Row>
      <Row label={t("form.template")} id={ids.template}>
        <Select
          id={ids.template}
          data-testid="send-template"
          disabled={readOnly}
          status={bad("template_id")}
          loading={templates.isPending}
          showSearch={{ optionFilterProp: "label" }}
          placeholder={t("form.choose")}
          notFoundContent={t("form.noTemplates")}
          value={node.config["template_id"] as string | undefined}
          options={(templates.data?.items ?? []).map((each) => ({ value: each.template_id, label: each.name }))}
          onChange={(next: string) => set({ template_id: next })}
        />
      </Row>
      {readOnly ? null : (
        <Space size={4} className="jf-links">
          <Button type="link" size="small" icon={<PlusOutlined />} data-testid="template-new" onClick={() => setTemplateDialog("new")}>
            {t("template.new")}
          </Button>
          {template ? (
            <Button type="link" size="small" icon={<EditOutlined />} data-testid="template-edit" onClick={() => setTemplateDialog(template)}>
              {t("template.edit")}
            </Button>
          ) : null}
        </Space>
      )}
      {template ? <PhonePreview template={template} coupon={coupon ? { name: coupon.name, words: couponWords(coupon, t) } : null} /> : null}
      <Row label={t("form.coupon")} id={ids.coupon} hint={t("form.couponHint")}>
        <Select
          id={ids.coupon}
          data-testid="send-coupon"
          disabled={readOnly}
          allowClear
          status={bad("coupon_id")}
          loading={coupons.isPending}
          placeholder={t("form.noCoupon")}
          value={(node.config["coupon_id"] as string | null) ?? undefined}
          options={(coupons.data?.items ?? []).map((each) => ({ value: each.coupon_id, label: each.name, words: couponWords(each, t) }))}
          optionRender={(option) => (
            <span className="jf-option">
              {option.data.label}
              <span className="faint">{option.data.words}</span>
            </span>
          )}
          onChange={(next: string | undefined) => set({ coupon_id: next ?? null })}
        />
      </Row>
      {readOnly ? null : (
        <Button type="link" size="small" className="jf-links" icon={<PlusOutlined />} data-testid="coupon-new" onClick={() => setCouponDialog(true)}>
          {t("coupon.new")}
        </Button>
      )}
      {template && /\{\{\s*coupon\./.test(template.text + (template.card?.title ?? "")) && !node.config["coupon_id"] ? <Alert type="warning" showIcon title={t("form.couponMissing")} /> : null}
      <p className="faint">{t("form.gate", { purpose: t(`settings.purposes.${settings.purpose}`) })}</p>
      {templateDialog ? (
        <TemplateDialog
          template={templateDialog === "new" ? null : templateDialog}
          onClose={() => setTemplateDialog(null)}
          onSaved={(saved) => {
            set({ template_id: saved.template_id });
            setTemplateDialog(null);
          }}
        />
      ) : null}
      {couponDialog ? (
        <CouponDialog
          onClose={() => setCouponDialog(false)}
          onSaved={(saved) => {
            set({ coupon_id: saved.coupon_id });
            setCouponDialog(false);
          }}
        />
      ) : null}
    </>
  );
}

export function GoalForm({ node, set }: FormProps) {
  const { t } = useTranslation("journeys");
  const { readOnly } = useEditing();
  const bad = useBad(node);
  const id = useId();
  return (
    <>
      <EventPicker node={node} set={set} label={t("form.goalEvent")} testId="goal-event" />
      <Row label={t("form.within")} id={id} hint={t("form.withinHint")}>
        <InputNumber id={id} data-testid="goal-days" disabled={readOnly} status={bad("within_days")} min={1} max={365} precision={0} suffix={t("form.days")} style={{ width: "100%" }} value={node.config["within_days"] as number | undefined} onChange={(next) => set({ within_days: next ?? undefined }, "within")} />
      </Row>
      <p className="faint">{t("form.goalHint")}</p>
    </>
  );
}
