// What holds for the whole journey. Every setting says in a line what it does to people.
import { Drawer, InputNumber, Radio, Segmented, Slider, Switch, TimePicker } from "antd";
import dayjs from "dayjs";
import { useId } from "react";
import { useTranslation } from "react-i18next";
import { Row } from "./forms";
import type { Settings } from "./types";

interface Props {
  open: boolean;
  settings: Settings;
  readOnly: boolean;
  change: (edit: (settings: Settings) => Settings, name?: string) => void;
  onClose: () => void;
}

const RULES = ["once", "after_exit", "cooldown", "per_key"] as const;
const PURPOSES = ["marketing", "service"] as const;

export function SettingsDrawer({ open, settings, readOnly, change, onClose }: Props) {
  const { t } = useTranslation("journeys");
  const ids = { holdout: useId(), cooldown: useId(), cap: useId(), priority: useId(), goal: useId() };
  const set = (patch: Partial<Settings>, name?: string) => change((now) => ({ ...now, ...patch }), name ? `settings.${name}` : undefined);
  const { quiet_hours: quiet, reentry } = settings;
  const time = (text: string) => dayjs(`2000-01-01T${text}`);
  return (
    <Drawer open={open} onClose={onClose} title={t("settings.title")} size={440}>
      <div className="js" data-testid="settings-drawer">
        <Row label={t("settings.holdout")} id={ids.holdout} hint={t("settings.holdoutHint")}>
          <div className="js-holdout">
            {/* No hint over the handle: the number stands beside it, and Escape would close the hint instead of the drawer. */}
            <Slider min={0} max={50} tooltip={{ formatter: null }} disabled={readOnly} value={settings.holdout_percent} onChange={(next) => set({ holdout_percent: next }, "holdout")} ariaLabelForHandle={t("settings.holdout")} />
            <InputNumber id={ids.holdout} data-testid="settings-holdout" min={0} max={50} step={1} suffix="%" disabled={readOnly} value={settings.holdout_percent} onChange={(next) => set({ holdout_percent: next ?? 0 }, "holdout")} style={{ width: 96 }} />
          </div>
        </Row>
        <Row label={t("settings.reentry")}>
          <Radio.Group
            className="js-radios"
            aria-label={t("settings.reentry")}
            data-testid="settings-reentry"
            disabled={readOnly}
            value={reentry.rule}
            onChange={(event) => set({ reentry: { rule: event.target.value as Settings["reentry"]["rule"], cooldown_days: event.target.value === "cooldown" ? (reentry.cooldown_days ?? 30) : null } })}
            options={RULES.map((rule) => ({
              value: rule,
              label: (
                <span>
                  {t(`settings.rules.${rule}.name`)}
                  <small className="faint">{t(`settings.rules.${rule}.about`)}</small>
                </span>
              ),
            }))}
          />
        </Row>
        {reentry.rule === "cooldown" ? (
          <Row label={t("settings.cooldown")} id={ids.cooldown}>
            <InputNumber id={ids.cooldown} data-testid="settings-cooldown" min={1} max={3650} precision={0} suffix={t("form.days")} disabled={readOnly} status={reentry.cooldown_days ? "" : "error"} value={reentry.cooldown_days} onChange={(next) => set({ reentry: { ...reentry, cooldown_days: next } }, "cooldown")} style={{ width: 140 }} />
          </Row>
        ) : null}
        <Row label={t("settings.category")} hint={t("settings.categoryHint")}>
          <Segmented
            block
            disabled={readOnly}
            aria-label={t("settings.category")}
            data-testid="settings-category"
            value={settings.category}
            options={(["marketing", "service"] as const).map((value) => ({ value, label: t(`settings.categories.${value}`) }))}
            onChange={(category) => set({ category })}
          />
        </Row>
        <Row label={t("settings.purpose")} hint={t("settings.purposeHint")}>
          <Segmented
            block
            disabled={readOnly}
            aria-label={t("settings.purpose")}
            value={settings.purpose}
            options={[...new Set<string>([...PURPOSES, settings.purpose])].map((value) => ({ value, label: t(`settings.purposes.${value}`) }))}
            onChange={(purpose) => set({ purpose })}
          />
        </Row>
        <Row label={t("settings.cap")} id={ids.cap} hint={t("settings.capHint")}>
          <div className="js-pair">
            <Switch aria-label={t("settings.capOn")} data-testid="settings-cap-on" disabled={readOnly} checked={settings.daily_cap !== null} onChange={(on) => set({ daily_cap: on ? 1 : null })} />
            {settings.daily_cap === null ? (
              <span className="soft">{t("settings.capOff")}</span>
            ) : (
              <InputNumber id={ids.cap} data-testid="settings-cap" min={1} max={1000} precision={0} suffix={t("settings.capUnit")} disabled={readOnly} value={settings.daily_cap} onChange={(next) => set({ daily_cap: next ?? 1 }, "cap")} style={{ width: 200 }} />
            )}
          </div>
        </Row>
        <Row label={t("settings.quiet")} hint={t("settings.quietHint")}>
          <div className="js-pair">
            <Switch aria-label={t("settings.quietOn")} data-testid="settings-quiet-on" disabled={readOnly} checked={quiet !== null} onChange={(on) => set({ quiet_hours: on ? { from: "22:00", to: "08:00" } : null })} />
            {quiet ? (
              <TimePicker.RangePicker
                order={false}
                format="HH:mm"
                minuteStep={15}
                allowClear={false}
                disabled={readOnly}
                value={[time(quiet.from), time(quiet.to)]}
                onChange={(hours) => hours?.[0] && hours[1] && set({ quiet_hours: { from: hours[0].format("HH:mm"), to: hours[1].format("HH:mm") } })}
              />
            ) : (
              <span className="soft">{t("settings.quietOff")}</span>
            )}
          </div>
        </Row>
        <Row label={t("settings.priority")} id={ids.priority} hint={t("settings.priorityHint")}>
          <InputNumber id={ids.priority} data-testid="settings-priority" min={0} max={100} precision={0} disabled={readOnly} value={settings.priority} onChange={(next) => set({ priority: next ?? 50 }, "priority")} style={{ width: 96 }} />
        </Row>
        <Row label={t("settings.exitOnGoal")} id={ids.goal} hint={t("settings.exitOnGoalHint")}>
          <Switch id={ids.goal} disabled={readOnly} checked={settings.exit_on_goal} onChange={(exit_on_goal) => set({ exit_on_goal })} style={{ justifySelf: "start" }} />
        </Row>
        <p className="faint">{t("settings.publishNote")}</p>
      </div>
    </Drawer>
  );
}
