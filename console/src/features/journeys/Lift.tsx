// What the messages changed: two arms that differ in nothing but the message, their difference with its interval,
// and a verdict in words. The page says which number is causal and which are not.
import { CheckCircleFilled, ExclamationCircleFilled, MinusCircleFilled, QuestionCircleFilled } from "@ant-design/icons";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { say } from "@/shared/api";
import { money, percent } from "@/shared/format";
import { useSession } from "@/shared/session";
import { useEditing } from "./editing";
import { scaleOf } from "./interval";
import { NumberButton } from "./Panel";
import type { Arm, Interval, Lift, Verdict } from "./types";

const MARKS: Record<Verdict, ReactNode> = {
  positive: <CheckCircleFilled />,
  negative: <ExclamationCircleFilled />,
  inconclusive: <MinusCircleFilled />,
  too_few: <QuestionCircleFilled />,
};

const signed = (value: number, text: string): string => (value > 0 ? `+${text}` : text.replace("-", "−"));

export function LiftView({ lift }: { lift: Lift }) {
  const { t } = useTranslation("journeys");
  const { brand } = useSession();
  const points = (value: number) => t("lift.points", { value: signed(value, (value * 100).toFixed(2)) });
  const roundPoints = (value: number) => t("lift.points", { value: signed(value, String(Number((value * 100).toFixed(2)))) });
  const cash = (value: number) => signed(value, money(Math.round(value), brand.currency));
  const amount = lift.amount_per_person;
  const sure = percent(lift.confidence, 0);
  return (
    <div className="jl" data-testid="lift">
      <div className={`jl-verdict ${lift.verdict}`} data-testid={`verdict-${lift.verdict}`}>
        <span aria-hidden>{MARKS[lift.verdict]}</span>
        <div>
          <strong>{t(`lift.verdicts.${lift.verdict}`)}</strong>
          <p>{say(lift.explanation)}</p>
        </div>
      </div>
      <div className="jl-columns">
        <table className="jl-arms">
          <thead>
            <tr>
              <th scope="col">{t("lift.arm")}</th>
              <th scope="col">{t("lift.people")}</th>
              <th scope="col">{t("lift.converted")}</th>
              <th scope="col">{t("lift.rate")}</th>
              <th scope="col">{t("lift.perPerson")}</th>
            </tr>
          </thead>
          <tbody>
            <ArmRow name={t("lift.treated")} arm={lift.treated} state="sent" per={amount?.treated} currency={brand.currency} most={Math.max(lift.treated.rate, lift.holdout.rate)} />
            <ArmRow name={t("lift.holdout")} arm={lift.holdout} state="held_out" per={amount?.holdout} currency={brand.currency} most={Math.max(lift.treated.rate, lift.holdout.rate)} />
          </tbody>
        </table>
        <div className="jl-bars">
          <IntervalBar title={t("lift.difference")} value={lift.difference} interval={lift.interval} verdict={lift.verdict} format={points} tick={roundPoints} note={t("lift.interval", { sure, low: points(lift.interval.low), high: points(lift.interval.high) })} causal />
          {amount?.interval ? (
            <IntervalBar title={t("lift.amountDifference")} value={amount.difference} interval={amount.interval} verdict={verdictOf(amount.interval, lift.verdict)} format={cash} tick={cash} note={t("lift.interval", { sure, low: cash(amount.interval.low), high: cash(amount.interval.high) })} causal />
          ) : null}
          <p className="faint">
            {[lift.relative === null ? "" : t("lift.relative", { value: signed(lift.relative, percent(lift.relative)) }), lift.p_value === null ? "" : t("lift.p", { value: lift.p_value < 0.001 ? "< 0.001" : lift.p_value.toFixed(3) })].filter(Boolean).join(" · ")}
          </p>
        </div>
      </div>
      <p className="jl-why">{t("lift.why")}</p>
    </div>
  );
}

function verdictOf(interval: Interval, whole: Verdict): Verdict {
  if (whole === "too_few") return whole;
  return interval.low > 0 ? "positive" : interval.high < 0 ? "negative" : "inconclusive";
}

function ArmRow({ name, arm, state, per, currency, most }: { name: string; arm: Arm; state: "sent" | "held_out"; per: number | undefined; currency: string; most: number }) {
  const { t } = useTranslation("journeys");
  const { openPeople } = useEditing();
  return (
    <tr>
      <th scope="row">
        {name}
        <small className="faint">{t(`lift.about.${state}`)}</small>
      </th>
      <td>
        <NumberButton count={arm.people} label={`${name} ${t("lift.people")}`} onClick={() => openPeople({ nodeId: null, state, reason: null })} testId={`arm-${state}`} />
      </td>
      <td className="number">{arm.converted.toLocaleString("en-US")}</td>
      <td>
        <b className="number">{percent(arm.rate, 2)}</b>
        <span className={`jl-rate ${state}`} style={{ width: `${most ? (arm.rate / most) * 100 : 0}%` }} aria-hidden />
      </td>
      <td className="number">{per === undefined ? "–" : money(Math.round(per), currency)}</td>
    </tr>
  );
}

interface BarProps {
  title: string;
  value: number;
  interval: Interval;
  verdict: Verdict;
  format: (value: number) => string;
  /** The ends of the axis, which are round numbers. */
  tick: (value: number) => string;
  note: string;
  causal?: boolean;
}

/** A difference as a dot on an axis through zero, with its interval as the bar it may lie in. */
export function IntervalBar({ title, value, interval, verdict, format, tick, note, causal }: BarProps) {
  const { t } = useTranslation("journeys");
  const scale = scaleOf([interval.low, interval.high, value]);
  const at = (point: number) => `${scale.place(point) * 100}%`;
  return (
    <figure className={`jl-bar ${verdict}`}>
      <figcaption>
        {title}
        {causal ? <span className="jl-causal">{t("lift.causal")}</span> : null}
        <b className="number">{format(value)}</b>
      </figcaption>
      <div className="jl-axis" role="img" aria-label={`${title}: ${format(value)}. ${note}`}>
        <span className="jl-zero" style={{ left: at(0) }} />
        <span className="jl-range" style={{ left: at(interval.low), width: `${(scale.place(interval.high) - scale.place(interval.low)) * 100}%` }} />
        <span className="jl-dot" style={{ left: at(value) }} />
      </div>
      <div className="jl-ticks" aria-hidden>
        <span>{tick(-scale.end)}</span>
        <span>{t("lift.zero")}</span>
        <span>{tick(scale.end)}</span>
      </div>
      <p className="faint">{note}</p>
    </figure>
  );
}
