// How the things that nodes name are called, and a node in words.
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { say } from "@/shared/api";
import { useOptions } from "@/shared/ruletree";
import type { Finding, Node } from "./model/graph";
import { useConnections, useCoupons, useTemplates } from "./model/queries";
import type { Fault } from "./model/types";

export interface Names {
  event: (key: string | undefined) => string | undefined;
  audience: (key: string | undefined) => string | undefined;
  connection: (key: string | undefined) => string | undefined;
  template: (key: string | undefined) => string | undefined;
  coupon: (key: string | null | undefined) => string | undefined;
}

export function useNames(): Names {
  const events = useOptions("events", "").data;
  const audiences = useOptions("audiences", "").data;
  const connections = useConnections().data;
  const templates = useTemplates().data;
  const coupons = useCoupons().data;
  const { i18n } = useTranslation();
  return useMemo(() => {
    const read = (pairs: [string, string][] | undefined) => {
      const map = new Map(pairs);
      return (key: string | null | undefined) => (key ? (map.get(key) ?? key) : undefined);
    };
    return {
      event: read(events?.items.map((item) => [item.value, say(item.label)])),
      audience: read(audiences?.items.map((item) => [item.value, say(item.label)])),
      connection: read(connections?.items.map((item) => [item.connection, item.name])),
      template: read(templates?.items.map((item) => [item.template_id, item.name])),
      coupon: read(coupons?.items.map((item) => [item.coupon_id, item.name])),
    };
    // The labels' language is the page's.
  }, [events, audiences, connections, templates, coupons, i18n.language]);
}

export interface Words {
  title: string;
  line: string;
}

export function useWords(names: Names): (node: Node) => Words {
  const { t } = useTranslation("journeys");
  return useMemo(() => {
    const unset = t("summary.unset");
    return (node) => {
      const { config } = node;
      const length = t(`length.${config.unit ?? "days"}`, { value: config.value ?? "?" });
      const event = names.event(config.event);
      switch (node.kind) {
        case "trigger": {
          if (config.on === "audience") {
            const audience = names.audience(config.audience_id);
            return { title: t("kinds.trigger"), line: audience ? t(config.change === "left" ? "summary.onLeft" : "summary.onEntered", { audience }) : unset };
          }
          return { title: t("kinds.trigger"), line: event ? t("summary.onEvent", { event }) : unset };
        }
        case "wait":
          if (config.mode !== "event") return { title: t("kinds.wait"), line: t("summary.wait", { length }) };
          return { title: t("kinds.wait"), line: event ? t("summary.waitEvent", { event, length }) : unset };
        case "branch": {
          const count = config.tree?.type === "group" ? config.tree.children.length : config.tree ? 1 : 0;
          return { title: config.title || t("kinds.branch"), line: count ? t("summary.branch", { count }) : unset };
        }
        case "send": {
          const connection = names.connection(config.connection);
          const coupon = names.coupon(config.coupon_id);
          const line = [connection ? t("summary.send", { connection }) : unset, coupon ? t("summary.withCoupon", { coupon }) : ""];
          return { title: names.template(config.template_id) ?? t("kinds.send"), line: line.filter(Boolean).join(" · ") };
        }
        case "goal":
          return { title: t("kinds.goal"), line: event ? t("summary.goal", { event, days: config.within_days ?? 7 }) : unset };
        case "exit":
          return { title: t("kinds.exit"), line: t("summary.exit") };
      }
    };
  }, [names, t]);
}

export interface Note {
  node_id: string | null;
  field: string | null;
  text: string;
  level: "error" | "warning";
}

export function useLocalNotes(): (findings: Finding[]) => Note[] {
  const { t } = useTranslation("journeys");
  return (findings) =>
    findings.map((finding) => ({
      node_id: finding.node_id,
      field: finding.field,
      level: "error",
      text: finding.fault === "field" ? t(`fields.${finding.field}`) : t(`faults.${finding.fault}`),
    }));
}

export function serverNotes(errors: Fault[], warnings: Fault[]): Note[] {
  const note = (level: Note["level"]) => (fault: Fault) => ({ node_id: fault.node_id, field: fault.field, text: say(fault.message), level });
  return [...errors.map(note("error")), ...warnings.map(note("warning"))];
}
