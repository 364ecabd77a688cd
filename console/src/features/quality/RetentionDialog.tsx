// Changing for how long a kind of event stays: what that would remove is counted and confirmed before it is set.
import { Alert, App, Checkbox, InputNumber, Modal, Radio, Skeleton } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { OTHERS, useRetentionPreview, useSetRetention, type Rule } from "@/features/quality/api";
import { say } from "@/shared/api";
import { at, integer } from "@/shared/format";
import { useSession } from "@/shared/session";
import { ErrorState, sentenceOf } from "@/shared/ui";

interface Props {
  rule: Rule;
  name: string;
  /** What holds for the kinds without a rule of their own, in words. */
  others: string;
  close: () => void;
}

const MOST_KINDS = 5;

export default function RetentionDialog({ rule, name, others, close }: Props) {
  const { t } = useTranslation("quality");
  const { brand } = useSession();
  const { message } = App.useApp();
  const [keep, setKeep] = useState(rule.keep);
  const [days, setDays] = useState<number | null>(rule.days ?? 365);
  const [sure, setSure] = useState(false);
  const wanted: Rule = { event: rule.event, keep, days: keep === "days" ? days : null };
  const preview = useRetentionPreview(brand.brand, wanted);
  const set = useSetRetention();
  const change = (what: () => void) => { what(); setSure(false); };
  const unchanged = keep === rule.keep && wanted.days === (rule.keep === "days" ? rule.days : null);
  const going = preview.data?.events ?? 0;
  return (
    <Modal
      open
      title={t("retention.title_", { name })}
      okText={t("shell:actions.save")}
      okButtonProps={{ danger: going > 0, disabled: unchanged || !preview.isSuccess || (going > 0 && !sure), "data-testid": "retention-save" }}
      confirmLoading={set.isPending}
      onCancel={close}
      onOk={() => set.mutate({ ...wanted, confirm: sure }, { onSuccess: () => { void message.success(t("retention.saved")); close(); }, onError: (error) => void message.error(sentenceOf(error, t("shell:states.error"))) })}
    >
      <Radio.Group
        vertical
        aria-label={t("retention.title_", { name })}
        value={keep}
        onChange={(event) => change(() => setKeep(event.target.value))}
        options={[
          { value: "forever", label: t("retention.forever") },
          ...(rule.event === OTHERS ? [] : [{ value: "others", label: t("retention.likeOthers", { stays: others }) }]),
          { value: "days", label: t("retention.forDays") },
        ]}
      />
      {keep === "days" ? <InputNumber className="retention-days" data-testid="retention-days" aria-label={t("retention.forDays")} min={1} max={36_500} precision={0} suffix={t("retention.day")} value={days} onChange={(value) => change(() => setDays(value))} /> : null}
      <div className="retention-preview" aria-live="polite" data-testid="retention-preview">
        {unchanged ? (
          <p className="faint">{t("retention.unchanged")}</p>
        ) : !preview.isEnabled ? (
          <p className="faint">{t("retention.daysNeeded")}</p>
        ) : preview.isPending ? (
          <Skeleton active title={false} paragraph={{ rows: 2 }} />
        ) : preview.isError ? (
          <ErrorState error={preview.error} retry={() => void preview.refetch()} />
        ) : going ? (
          <>
            <Alert
              type="warning"
              showIcon
              title={t("retention.willGo", { count: going, n: integer(going), before: preview.data.before_on, oldest: preview.data.begins_on })}
              description={
                <>
                  <p>{t("retention.grace", { when: at(preview.data.from_at) })}</p>
                  {preview.data.kinds.length > 1 ? (
                    <ul>
                      {preview.data.kinds.slice(0, MOST_KINDS).map((kind) => <li key={kind.event}>{t("retention.kindGoes", { name: say(kind.label), n: integer(kind.events) })}</li>)}
                      {preview.data.kinds.length > MOST_KINDS ? <li>{t("retention.more", { n: preview.data.kinds.length - MOST_KINDS })}</li> : null}
                    </ul>
                  ) : null}
                </>
              }
            />
            <Checkbox data-testid="retention-sure" checked={sure} onChange={(event) => setSure(event.target.checked)}>{t("retention.sure")}</Checkbox>
          </>
        ) : (
          <Alert type="success" showIcon title={t(preview.data.before_on ? "retention.nothingNow" : "retention.nothingEver")} />
        )}
      </div>
    </Modal>
  );
}
