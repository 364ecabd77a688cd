// Traits and tags of a person.
import { App, Select, Tag } from "antd";
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import { usePersonActions, useTags, type PersonDetail } from "@/features/people/api";
import { say } from "@/shared/api";
import { at } from "@/shared/format";
import { useSession } from "@/shared/session";
import { Card, Empty, MadeBadge, sentenceOf } from "@/shared/ui";

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

/** A trait's value as people read it: moments in the brand's time, what has words in words. */
function traitText(name: string, value: unknown, t: TFunction): string {
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (typeof value === "string" && INSTANT.test(value)) return at(value);
  return name === "gender" ? t(`genders.${String(value)}`, { defaultValue: String(value) }) : String(value);
}

export function Traits({ detail }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  return (
    <Card title={t("traits")}>
      {detail.traits.length ? (
        <dl className="traits">
          {detail.traits.map((trait) => (
            <div key={trait.name}>
              <dt>{say(trait.label)}</dt>
              <dd title={`${trait.source} · ${at(trait.at)}`}>
                {traitText(trait.name, trait.value, t)} {trait.made ? <MadeBadge /> : null}
              </dd>
            </div>
          ))}
        </dl>
      ) : (
        <Empty title={t("noTraits")} />
      )}
    </Card>
  );
}

export function Tags({ detail }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  const { may } = useSession();
  const { message } = App.useApp();
  const all = useTags();
  const actions = usePersonActions(detail.person.person_id);
  const held = detail.tags.map((tag) => tag.tag_id);
  if (!may("people.write"))
    return <Card title={t("tags")}>{detail.tags.length ? detail.tags.map((tag) => <Tag key={tag.tag_id}>{say(tag.name)}</Tag>) : <span className="faint">{t("noTags")}</span>}</Card>;
  return (
    <Card title={t("tags")}>
      <Select
        mode="multiple"
        style={{ width: "100%" }}
        aria-label={t("tags")}
        placeholder={t("addTags")}
        value={held}
        loading={actions.tags.isPending}
        options={(all.data?.items ?? []).map((tag) => ({ value: tag.tag_id, label: `${say(tag.group)} · ${say(tag.name)}` }))}
        showSearch={{ optionFilterProp: "label" }}
        onChange={(next: string[]) =>
          actions.tags.mutate(
            { add: next.filter((id) => !held.includes(id)), remove: held.filter((id) => !next.includes(id)) },
            { onError: (error) => void message.error(sentenceOf(error, t("shell:states.error"))) },
          )
        }
      />
    </Card>
  );
}
