// A plan as YAML, from a file or pasted, on its way to be published.
import { Button, Input, Modal } from "antd";
import { lazy, Suspense, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

const Publish = lazy(() => import("@/features/plan/Publish"));

export default function Import({ after, done, close }: { after: number; done: () => void; close: () => void }) {
  const { t } = useTranslation("plan");
  const [yaml, setYaml] = useState("");
  const [ready, setReady] = useState(false);
  const file = useRef<HTMLInputElement>(null);
  if (ready)
    return (
      <Suspense fallback={null}>
        <Publish given={{ yaml, after }} done={done} close={() => setReady(false)} />
      </Suspense>
    );
  return (
    <Modal open width={720} title={t("import")} okText={t("compare")} okButtonProps={{ disabled: !yaml.trim() }} onOk={() => setReady(true)} onCancel={close}>
      <p className="faint">{t("importNote")}</p>
      <input ref={file} type="file" accept=".yaml,.yml,.json" hidden onChange={(event) => void event.target.files?.[0]?.text().then(setYaml)} />
      <Button size="small" onClick={() => file.current?.click()}>{t("pick")}</Button>
      <Input.TextArea aria-label="YAML" className="plan-yaml" rows={16} value={yaml} onChange={(event) => setYaml(event.target.value)} />
    </Modal>
  );
}
