// A plan as YAML, from a file or pasted, on its way to be published. What is wrong with it is corrected right here.
import { Alert, Button, Input, Modal } from "antd";
import type { TextAreaRef } from "antd/es/input/TextArea";
import { lazy, Suspense, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { offsetOf, usePlanActions } from "@/features/plan/api";
import { sentenceOf } from "@/shared/ui";

const Publish = lazy(() => import("@/features/plan/Publish"));

export default function Import({ after, done, close }: { after: number; done: () => void; close: () => void }) {
  const { t } = useTranslation("plan");
  const { diff } = usePlanActions();
  const [yaml, setYaml] = useState("");
  const [ready, setReady] = useState(false);
  const file = useRef<HTMLInputElement>(null);
  const area = useRef<TextAreaRef>(null);
  const write = (text: string) => {
    setYaml(text);
    diff.reset();
  };
  const point = (said: string) => {
    const box = area.current?.resizableTextArea?.textArea;
    const at = offsetOf(yaml, said);
    box?.focus();
    if (box && at !== null) {
      box.setSelectionRange(at, at);
      box.scrollTop = (box.scrollHeight * Math.max(0, yaml.slice(0, at).split("\n").length - 4)) / yaml.split("\n").length;
    }
  };
  const said = (error: unknown) => sentenceOf(error, t("shell:states.error"));
  const compare = () => diff.mutate({ yaml, after }, { onSuccess: () => setReady(true), onError: (error) => point(said(error)) });
  if (ready)
    return (
      <Suspense fallback={null}>
        <Publish given={{ yaml, after }} done={done} close={() => setReady(false)} cancelText={t("back")} />
      </Suspense>
    );
  return (
    <Modal open width={720} title={t("import")} okText={t("compare")} okButtonProps={{ disabled: !yaml.trim() }} confirmLoading={diff.isPending} onOk={compare} onCancel={close}>
      <p className="faint">{t("importNote")}</p>
      <input ref={file} type="file" accept=".yaml,.yml,.json" hidden onChange={(event) => void event.target.files?.[0]?.text().then(write)} />
      <Button size="small" onClick={() => file.current?.click()}>{t("pick")}</Button>
      {diff.isError ? <Alert className="spaced" type="error" showIcon title={said(diff.error)} description={t("correctHere")} /> : null}
      <Input.TextArea ref={area} aria-label="YAML" aria-invalid={diff.isError} className="plan-yaml" rows={16} value={yaml} onChange={(event) => write(event.target.value)} />
    </Modal>
  );
}
