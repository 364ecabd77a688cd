// Makes a data source and shows its write key, once.
import { App, Form, Input, Modal, Select } from "antd";
import { useTranslation } from "react-i18next";
import { useSourceActions } from "@/features/sources/api";
import { Card, sentenceOf } from "@/shared/ui";

export default function Create({ close }: { close: () => void }) {
  const { t } = useTranslation("sources");
  const { message } = App.useApp();
  const actions = useSourceActions();
  const [form] = Form.useForm<{ source: string; name: string; kind: string }>();
  const made = actions.create.data;
  const leave = () => { actions.create.reset(); form.resetFields(); close(); };
  return (
    <Modal
      open
      title={t("create")}
      okText={made ? t("shell:actions.close") : t("create")}
      confirmLoading={actions.create.isPending}
      cancelButtonProps={made ? { style: { display: "none" } } : {}}
      onCancel={leave}
      onOk={() =>
        made
          ? leave()
          : void form.validateFields().then((given) =>
              actions.create.mutate(
                { source: given.source, kind: given.kind, name: { zh: given.name, en: given.name } },
                { onError: (error) => void message.error(sentenceOf(error, t("shell:states.error"))) },
              ),
              () => undefined, // said at the fields
            )
      }
    >
      {made ? (
        <Card>
          <p>{t("keyOnce")}</p>
          <p className="key" data-testid="write-key">{made.write_key}</p>
        </Card>
      ) : (
        <Form form={form} layout="vertical" initialValues={{ kind: "sdk" }}>
          <Form.Item name="name" label={t("name")} rules={[{ required: true, message: t("needed") }]}><Input /></Form.Item>
          <Form.Item name="source" label={t("key")} rules={[{ required: true, pattern: /^[a-z][a-z0-9_.-]{1,39}$/, message: t("keyRule") }]}><Input /></Form.Item>
          <Form.Item name="kind" label={t("kind")}>
            <Select options={["sdk", "file"].map((value) => ({ value, label: t(`kinds.${value}`) }))} />
          </Form.Item>
        </Form>
      )}
    </Modal>
  );
}
