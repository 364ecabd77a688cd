// A new kind of coupon. Its terms cannot be changed once it has been given out, so the dialog shows them in a sentence.
import { useQueryClient } from "@tanstack/react-query";
import { Form, Input, InputNumber, Modal, Radio } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/shared/api";
import { MoneyInput } from "@/shared/ruletree";
import { useSession } from "@/shared/session";
import { sentenceOf } from "@/shared/ui";
import { createCoupon, type NewCoupon } from "./api";
import { couponWords } from "./forms";
import type { Coupon } from "./types";

interface Values extends Omit<NewCoupon, "value"> {
  amount?: number;
  percent?: number;
}

export function CouponDialog({ onClose, onSaved }: { onClose: () => void; onSaved: (coupon: Coupon) => void }) {
  const { t } = useTranslation("journeys");
  const { brand } = useSession();
  const queries = useQueryClient();
  const [form] = Form.useForm<Values>();
  const values = Form.useWatch([], form) as Values | undefined;
  const [saving, setSaving] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const kind = values?.kind ?? "amount_off";
  const value = kind === "amount_off" ? values?.amount : values?.percent;

  const save = async ({ amount, percent, ...written }: Values) => {
    setSaving(true);
    setFailure(null);
    try {
      const saved = await createCoupon({ ...written, value: (written.kind === "amount_off" ? amount : percent) ?? 0, threshold: written.threshold ?? 0, total: written.total ?? null });
      await queries.invalidateQueries({ queryKey: ["coupon-definitions"] });
      onSaved(saved);
    } catch (error) {
      const fields = error instanceof ApiError ? error.fields : [];
      form.setFields(fields.map((each) => ({ name: (each.field === "value" ? (kind === "amount_off" ? "amount" : "percent") : each.field) as keyof Values, errors: [each.message] })));
      if (!fields.length) setFailure(sentenceOf(error, t("failed")));
    } finally {
      setSaving(false);
    }
  };
  const needed = [{ required: true, message: t("coupon.needed") }];
  return (
    <Modal open title={t("coupon.new")} width={520} okText={t("store")} cancelText={t("cancel")} confirmLoading={saving} onOk={() => form.submit()} onCancel={onClose} okButtonProps={{ "data-testid": "coupon-save" }}>
      <Form<Values> form={form} layout="vertical" initialValues={{ kind: "amount_off", threshold: 0, per_person: 1, valid_days: 30 }} onFinish={(written) => void save(written)}>
        <Form.Item name="name" label={t("coupon.name")} rules={[{ required: true, whitespace: true, message: t("coupon.needed") }]}>
          <Input maxLength={60} data-testid="coupon-name" />
        </Form.Item>
        <Form.Item name="kind" label={t("coupon.kind")}>
          <Radio.Group
            optionType="button"
            options={[
              { value: "amount_off", label: t("coupon.kinds.amount_off") },
              { value: "percent_off", label: t("coupon.kinds.percent_off") },
            ]}
          />
        </Form.Item>
        <div className="jd-pair">
          {kind === "amount_off" ? (
            <Form.Item name="amount" label={t("coupon.amount")} rules={needed}>
              <Money currency={brand.currency} label={t("coupon.amount")} testId="coupon-value" min={0.01} />
            </Form.Item>
          ) : (
            <Form.Item name="percent" label={t("coupon.percent")} rules={needed}>
              <InputNumber min={1} max={100} precision={0} suffix="%" style={{ width: 140 }} data-testid="coupon-value" />
            </Form.Item>
          )}
          <Form.Item name="threshold" label={t("coupon.threshold")}>
            <Money currency={brand.currency} label={t("coupon.threshold")} testId="coupon-threshold" />
          </Form.Item>
          <Form.Item name="total" label={t("coupon.total")} extra={t("coupon.totalHint")}>
            <InputNumber min={1} precision={0} style={{ width: 140 }} data-testid="coupon-total" />
          </Form.Item>
          <Form.Item name="per_person" label={t("coupon.perPerson")} rules={needed}>
            <InputNumber min={1} max={1000} precision={0} style={{ width: 140 }} />
          </Form.Item>
          <Form.Item name="valid_days" label={t("coupon.validDays")} rules={needed}>
            <InputNumber min={1} max={3650} precision={0} suffix={t("form.days")} style={{ width: 140 }} />
          </Form.Item>
        </div>
        {value ? (
          <p className="jd-sentence">
            {couponWords({ coupon_id: "", name: "", kind, value, threshold: values?.threshold ?? 0, currency: brand.currency, total: null, issued: 0, redeemed: 0, per_person: 1, valid_days: 1 }, t)} · {t("coupon.lasts", { count: values?.valid_days ?? 0 })}
          </p>
        ) : null}
        {failure ? (
          <p className="jd-failure" role="alert">
            {failure}
          </p>
        ) : null}
      </Form>
    </Modal>
  );
}

/** Form.Item gives `value` and `onChange`; an empty field is no amount. */
function Money({ value, onChange, ...rest }: { value?: number; onChange?: (minor: number | undefined) => void; currency: string; label: string; testId: string; min?: number; id?: string }) {
  return <MoneyInput value={value} onChange={(minor) => onChange?.(minor)} {...rest} />;
}
