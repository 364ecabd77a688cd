// What a node is called on its card: words made of its settings, with names instead of keys.
import type { TFunction } from "i18next";
import { useCallback, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { say, type Label } from "@/shared/api";
import { useOptions, type Filter, type Group, type TreeNode } from "@/shared/ruletree";
import { useConnections, useCoupons, useTemplates } from "./api";
import type { JourneyNode } from "./types";

export interface Names {
  event: (key: unknown) => string;
  audience: (id: unknown) => string;
  template: (id: unknown) => string;
  connection: (key: unknown) => string;
  coupon: (id: unknown) => string;
}

export const wording = (text: string | Label | null | undefined): string => (typeof text === "string" ? text : say(text));

export function useNames(): Names {
  const events = useOptions("events", "");
  const audiences = useOptions("audiences", "");
  const templates = useTemplates();
  const connections = useConnections();
  const coupons = useCoupons();
  const { i18n } = useTranslation();
  return useMemo(() => {
    const lookup = (entries: [string, string][] | null) => {
      const map = new Map(entries ?? []);
      // No bare key flashes up before its name is read.
      return (key: unknown) => (key ? (map.get(String(key)) ?? (entries ? String(key) : "…")) : "");
    };
    return {
      event: lookup(events.isPending ? null : (events.data?.items ?? []).map((item) => [item.value, say(item.label)])),
      audience: lookup(audiences.isPending ? null : (audiences.data?.items ?? []).map((item) => [item.value, say(item.label)])),
      template: lookup(templates.isPending ? null : (templates.data?.items ?? []).map((item) => [item.template_id, item.name])),
      connection: lookup(connections.isPending ? null : (connections.data?.items ?? []).map((item) => [item.connection, item.name])),
      coupon: lookup(coupons.isPending ? null : (coupons.data?.items ?? []).map((item) => [item.coupon_id, item.name])),
    };
    // The language decides which text of a label is taken.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [events.data, events.isPending, audiences.data, audiences.isPending, templates.data, templates.isPending, connections.data, connections.isPending, coupons.data, coupons.isPending, i18n.language]);
}

export function countRules(tree: TreeNode | null | undefined): number {
  if (!tree) return 0;
  return tree.type === "rule" ? 1 : tree.children.reduce((sum, child) => sum + countRules(child), 0);
}

export function titleOf(node: JourneyNode, names: Names, t: TFunction): string {
  const { config } = node;
  switch (node.kind) {
    case "trigger":
      if (config["on"] === "audience" && config["audience_id"]) return names.audience(config["audience_id"]);
      return (config["on"] === "event" && names.event(config["event"])) || t("kinds.trigger");
    case "wait":
      if (config["mode"] === "event") return config["event"] ? t("card.waitFor", { event: names.event(config["event"]) }) : t("card.waitEvent");
      return typeof config["value"] === "number" ? t("card.waitTime", { time: lasting(config, t) }) : t("kinds.wait");
    case "branch":
      return String(config["title"] || "") || t("kinds.branch");
    case "send":
      return names.template(config["template_id"]) || t("kinds.send");
    case "goal":
      return names.event(config["event"]) || t("kinds.goal");
    case "exit":
      return t("kinds.exit");
  }
}

export function lasting(config: JourneyNode["config"], t: TFunction): string {
  return t(`time.${String(config["unit"] ?? "days")}`, { count: Number(config["value"] ?? 0) });
}

export function subtitleOf(node: JourneyNode, names: Names, t: TFunction): string {
  const { config } = node;
  const filters = ((config["where"] as Filter[] | undefined) ?? []).length;
  switch (node.kind) {
    case "trigger":
      if (config["on"] === "audience") return t(config["change"] === "left" ? "card.onLeft" : "card.onEntered");
      return filters ? t("card.onEventWhere", { count: filters }) : t("card.onEvent");
    case "wait":
      return config["mode"] === "event" ? t("card.atMost", { time: lasting(config, t) }) : t("card.sinceArrival");
    case "branch": {
      const rules = countRules(config["tree"] as Group | undefined);
      return rules ? t("card.rules", { count: rules }) : t("card.noRules");
    }
    case "send": {
      const parts = [names.connection(config["connection"]), config["coupon_id"] ? t("card.withCoupon", { name: names.coupon(config["coupon_id"]) }) : ""];
      return parts.filter(Boolean).join(" · ") || t("card.noChannel");
    }
    case "goal":
      return t("card.goalWithin", { count: Number(config["within_days"] ?? 7) });
    case "exit":
      return t("card.exit");
  }
}

/** Title and subtitle as functions of a node, new only when a name or the language changes. */
export function useCardWords() {
  const { t } = useTranslation("journeys");
  const names = useNames();
  const title = useCallback((node: JourneyNode) => titleOf(node, names, t), [names, t]);
  const subtitle = useCallback((node: JourneyNode) => subtitleOf(node, names, t), [names, t]);
  return { title, subtitle, names };
}
