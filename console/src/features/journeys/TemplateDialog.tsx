// Writing a message: text with named holes, perhaps a mini-program card, and the phone beside it.
import { useQueryClient } from "@tanstack/react-query";
import { Button, Form, Input, Modal, Radio, Space } from "antd";
import { useRef, useState } from "react";
import type { TextAreaRef } from "antd/es/input/TextArea";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/shared/api";
import { PhonePreview } from "@/shared/phone";
import { sentenceOf } from "@/shared/ui";
import { createTemplate, saveTemplate } from "./api";
import type { Template } from "./types";

interface Props {
  template: Template | null;
  onClose: () => void;
  onSaved: (template: Template) => void;
}

interface Values {
  name: string;
  kind: "text" | "card";
  text: string;
  card_title?: string;
  card_page?: string;
}

const HOLES = ["name", "store", "coupon.name"];
const FIELDS: Record<string, keyof Values> = { "card.title": "card_title", "card.page": "card_page", name: "name", text: "text", kind: "kind" };

export function TemplateDialog({ template, onClose, onSaved }: Props) {
  const { t } = useTranslation("journeys");
  const queries = useQueryClient();
  const [form] = Form.useForm<Values>();
  const values = Form.useWatch([], form) as Values | undefined;
  const [saving, setSaving] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const area = useRef<TextAreaRef>(null);
  const kind = values?.kind ?? template?.kind ?? "text";

  const insert = (hole: string) => {
    const field = area.current?.resizableTextArea?.textArea;
    const text = form.getFieldValue("text") ?? "";
    const [from, to] = field ? [field.selectionStart, field.selectionEnd] : [text.length, text.length];
    form.setFieldValue("text", `${text.slice(0, from)}{{${hole}}}${text.slice(to)}`);
    requestAnimationFrame(() => field?.setSelectionRange(from + hole.length + 4, from + hole.length + 4));
    field?.focus();
  };

  const save = async (written: Values) => {
    setSaving(true);
    setFailure(null);
    const body = {
      name: written.name.trim(),
      kind: written.kind,
      text: written.text ?? "",
      card: written.kind === "card" ? { title: written.card_title ?? "", page: written.card_page ?? "", image: template?.card?.image ?? null } : null,
    };
    try {
      const saved = template ? await saveTemplate({ ...body, template_id: template.template_id }) : await createTemplate(body);
      await queries.invalidateQueries({ queryKey: ["templates"] });
      onSaved(saved);
    } catch (error) {
      const fields = error instanceof ApiError ? error.fields : [];
      const known = fields.filter((each) => FIELDS[each.field]);
      form.setFields(known.map((each) => ({ name: FIELDS[each.field] as keyof Values, errors: [each.message] })));
      if (!known.length) setFailure(sentenceOf(error, t("failed")));
    } finally {
      setSaving(false);
    }
  };

  return (
    <Modal open title={t(template ? "template.edit" : "template.new")} width={760} okText={t("store")} cancelText={t("cancel")} confirmLoading={saving} onOk={() => form.submit()} onCancel={onClose} okButtonProps={{ "data-testid": "template-save" }}>
      <div className="jd-columns">
        <Form<Values>
          form={form}
          layout="vertical"
          onFinish={(written) => void save(written)}
          initialValues={{ name: template?.name ?? "", kind: template?.kind ?? "text", text: template?.text ?? "", card_title: template?.card?.title, card_page: template?.card?.page ?? "pages/coupon" }}
        >
          <Form.Item name="name" label={t("template.name")} rules={[{ required: true, whitespace: true, message: t("template.nameNeeded") }]}>
            <Input maxLength={60} data-testid="template-name" />
          </Form.Item>
          <Form.Item name="kind" label={t("template.kind")}>
            <Radio.Group
              optionType="button"
              options={[
                { value: "text", label: t("template.kinds.text") },
                { value: "card", label: t("template.kinds.card") },
              ]}
            />
          </Form.Item>
          <Form.Item name="text" label={t("template.text")} rules={kind === "text" ? [{ required: true, whitespace: true, message: t("template.textNeeded") }] : []} style={{ marginBottom: 8 }}>
            <Input.TextArea ref={area} rows={5} data-testid="template-text" />
          </Form.Item>
          <Space size={6} wrap style={{ marginBottom: 16 }}>
            <span className="faint">{t("template.insert")}</span>
            {HOLES.map((hole) => (
              <Button key={hole} size="small" onClick={() => insert(hole)} data-testid={`hole-${hole}`}>
                {t(`template.holes.${hole.replace(".", "_")}`)}
              </Button>
            ))}
          </Space>
          {kind === "card" ? (
            <>
              <Form.Item name="card_title" label={t("template.cardTitle")} rules={[{ required: true, whitespace: true, message: t("template.cardTitleNeeded") }]}>
                <Input data-testid="template-card-title" />
              </Form.Item>
              <Form.Item name="card_page" label={t("template.cardPage")} extra={t("template.cardPageHint")} rules={[{ required: true, message: t("template.cardPageNeeded") }]}>
                <Input data-testid="template-card-page" />
              </Form.Item>
            </>
          ) : null}
          {failure ? (
            <p className="jd-failure" role="alert">
              {failure}
            </p>
          ) : null}
        </Form>
        <PhonePreview template={{ kind, text: values?.text ?? "", card: { title: values?.card_title ?? "", page: values?.card_page ?? "" } }} />
      </div>
      {template ? <p className="faint">{t("template.editHint")}</p> : null}
    </Modal>
  );
}
