// One audience: load it (or a copy, or a tree from an address), then hand it to the builder.
import { useTranslation } from "react-i18next";
import { Link, useParams, useSearchParams } from "react-router";
import { emptyTree, readTree, type Group } from "@/shared/ruletree";
import { Loaded, Page } from "@/shared/ui";
import { Builder } from "./Builder";
import { draftOf, keptDraft, useAudience, type Draft } from "./model";

function treeOf(text: string | null): Group | null {
  if (!text) return null;
  try {
    return readTree(JSON.parse(text));
  } catch {
    return null;
  }
}

export default function AudienceEditor() {
  const { t } = useTranslation("audiences");
  const { audienceId = "new" } = useParams();
  const [params] = useSearchParams();
  const isNew = audienceId === "new";
  const from = isNew ? params.get("from") : null;
  const id = isNew ? null : audienceId;
  const query = useAudience(id ?? from);
  if ((id ?? from) && !query.data)
    return (
      <Page title={t("title")} note={<Link to="/audiences">← {t("back")}</Link>}>
        <Loaded query={query} rows={8}>
          {() => null}
        </Loaded>
      </Page>
    );
  const read = query.data?.data;
  const given = isNew ? treeOf(params.get("tree")) : null;
  const stored: Draft = read
    ? { ...draftOf(read), ...(from ? { name: t("copyOf", { name: read.name }) } : {}) }
    : { name: "", description: "", tree: given ?? emptyTree(), refresh: "daily" };
  // A tree in the address or a copy is what was asked for just now: it goes before a draft kept earlier.
  const kept = given || from ? null : keptDraft(audienceId);
  return (
    <Builder
      key={`${audienceId}:${from ?? ""}:${params.get("tree") ?? ""}`}
      audience={id && read ? read : null}
      etag={id ? (query.data?.etag ?? null) : null}
      stored={stored}
      kept={kept && readTree(kept.tree) ? kept : null}
      draftId={audienceId}
    />
  );
}
