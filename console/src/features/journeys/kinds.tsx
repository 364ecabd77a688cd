// What each kind of node looks like: its icon and the colour of its family, and which of its numbers a card shows.
import { BranchesOutlined, ClockCircleOutlined, FlagOutlined, LogoutOutlined, SendOutlined, ThunderboltOutlined } from "@ant-design/icons";
import type { ReactNode } from "react";
import { suppressedOf } from "./counts";
import type { Kind, NodeReport, PeopleState } from "./types";

export const ICONS: Record<Kind, ReactNode> = {
  trigger: <ThunderboltOutlined />,
  wait: <ClockCircleOutlined />,
  branch: <BranchesOutlined />,
  send: <SendOutlined />,
  goal: <FlagOutlined />,
  exit: <LogoutOutlined />,
};

export const FAMILIES: { key: string; kinds: Kind[] }[] = [
  { key: "entry", kinds: ["trigger"] },
  { key: "flow", kinds: ["wait", "branch"] },
  { key: "reach", kinds: ["send"] },
  { key: "result", kinds: ["goal", "exit"] },
];

export interface Figure {
  state: PeopleState;
  count: number;
  tone?: "bad" | "good" | "live";
}

/** The numbers that matter at a node of this kind: at most four. */
export function figuresOf(kind: Kind, report: NodeReport, reached: number): Figure[] {
  const entered: Figure = { state: "entered", count: report.entered };
  const waiting: Figure = { state: "waiting", count: report.waiting, tone: "live" };
  switch (kind) {
    case "send":
      return [
        { state: "sent", count: report.sent },
        { state: "suppressed", count: suppressedOf(report), tone: "bad" },
        { state: "read", count: report.read },
        { state: "converted", count: report.converted, tone: "good" },
      ];
    case "goal":
      return [entered, waiting, { state: "converted", count: reached, tone: "good" }];
    case "wait":
      return [entered, waiting];
    default:
      return [entered];
  }
}
