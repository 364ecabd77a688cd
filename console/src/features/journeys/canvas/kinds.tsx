// The look of each kind of node: its family's colour and its icon.
import { AimOutlined, BranchesOutlined, FieldTimeOutlined, LogoutOutlined, MessageOutlined, ThunderboltOutlined } from "@ant-design/icons";
import type { ReactNode } from "react";
import type { Kind } from "../model/graph";

export const ICONS: Record<Kind, ReactNode> = {
  trigger: <ThunderboltOutlined />,
  wait: <FieldTimeOutlined />,
  branch: <BranchesOutlined />,
  send: <MessageOutlined />,
  goal: <AimOutlined />,
  exit: <LogoutOutlined />,
};

export const FAMILIES: { key: "reach" | "flow" | "measure"; kinds: Kind[] }[] = [
  { key: "reach", kinds: ["send"] },
  { key: "flow", kinds: ["trigger", "wait", "branch", "exit"] },
  { key: "measure", kinds: ["goal"] },
];
