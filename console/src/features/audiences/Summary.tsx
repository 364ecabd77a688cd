// The right-hand side of the builder: how many, in which words, reachable where.
import { Skeleton } from "antd";
import { useTranslation } from "react-i18next";
import { say } from "@/shared/api";
import { integer, percent } from "@/shared/format";
import type { Group } from "@/shared/ruletree";
import { Card, DrillNumber, sentenceOf } from "@/shared/ui";
import type { useCount } from "./model";

interface Props {
  tree: Group;
  count: ReturnType<typeof useCount>;
  ready: boolean;
}

export function Summary({ tree, count, ready }: Props) {
  const { t } = useTranslation("audiences");
  const data = ready ? count.data : undefined;
  const known = data?.count ?? null;
  return (
    <Card className="aud-summary">
      <h2>{t("count.title")}</h2>
      <div aria-live="polite" aria-busy={!count.settled} data-testid="live-count" data-count={known ?? ""} className={count.isFetching ? "aud-dim" : ""}>
        {!ready ? (
          <p className="aud-wait">{t(tree.children.length ? "count.waiting" : "count.start")}</p>
        ) : count.isError ? (
          <p className="rt-error">{sentenceOf(count.error, t("count.failed"))}</p>
        ) : !data ? (
          <Skeleton active title={{ width: 140 }} paragraph={false} />
        ) : known === null ? (
          <p className="rt-error">{t("count.errors", { count: data.errors.length })}</p>
        ) : (
          <>
            <p className="aud-number">
              <DrillNumber drill={{ kind: "people", tree }} label={t("count.is", { count: integer(known) })}>
                {integer(known)}
              </DrillNumber>
              <span> {t("count.people")}</span>
            </p>
            <div className="aud-share" aria-hidden>
              <i style={{ width: `${data.total ? Math.max(known ? 1 : 0, (known / data.total) * 100) : 0}%` }} />
            </div>
            <p className="faint">
              {t("count.ofTotal", { total: integer(data.total), share: percent(data.total ? known / data.total : 0) })} · {t("count.took", { ms: data.took_ms })}
            </p>
          </>
        )}
      </div>
      {data ? (
        <>
          <h3>{t("sentence")}</h3>
          <p className="aud-sentence" data-testid="sentence">
            {say(data.sentence)}
          </p>
        </>
      ) : null}
      <h3>{t("reach.title")}</h3>
      <p className="faint" style={{ margin: "0 0 6px", fontSize: 12 }}>
        {t("reach.hint")}
      </p>
      {data?.reachable.length ? (
        <dl className="aud-reach" data-testid="reachable">
          {data.reachable.map((item) => (
            <div key={item.channel}>
              <dt>{say(item.label)}</dt>
              <dd>
                <span className="aud-share" aria-hidden>
                  <i style={{ width: `${known ? (item.count / known) * 100 : 0}%` }} />
                </span>
                <span className="number">{integer(item.count)}</span>
              </dd>
            </div>
          ))}
        </dl>
      ) : (
        <p className="faint">{t("reach.none")}</p>
      )}
    </Card>
  );
}
