// Before a version is published: what it changes, what of that breaks, and a note for the others.
import { App, Alert, Input, Modal } from "antd";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { usePlanActions, type Given } from "@/features/plan/api";
import { Changes } from "@/features/plan/Changes";
import { Loaded, sentenceOf } from "@/shared/ui";

export default function Publish({ given, done, close, cancelText }: { given: Given; done: () => void; close: () => void; cancelText?: string }) {
  const { t } = useTranslation("plan");
  const { message } = App.useApp();
  const { diff, publish } = usePlanActions();
  const [note, setNote] = useState("");
  const look = () => diff.mutate(given);
  useEffect(look, []); // eslint-disable-line react-hooks/exhaustive-deps -- once, for what is given
  return (
    <Modal
      open
      width={720}
      title={t("publishTitle")}
      okText={t("publish")}
      okButtonProps={{ disabled: !diff.data?.items.length }}
      confirmLoading={publish.isPending}
      onCancel={close}
      cancelText={cancelText}
      onOk={() => publish.mutate({ ...given, note }, { onSuccess: done, onError: (error) => void message.error(sentenceOf(error, t("shell:states.error"))) })}
    >
      <Loaded query={{ ...diff, refetch: look }} rows={5}>
        {(data) => (
          <>
            {data.breaking ? <Alert className="spaced" type="warning" showIcon title={t("breakingNote")} /> : null}
            <Changes items={data.items} />
          </>
        )}
      </Loaded>
      <Input aria-label={t("note")} placeholder={t("note")} value={note} onChange={(event) => setNote(event.target.value)} />
    </Modal>
  );
}
