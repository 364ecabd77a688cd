// What the canvas, the panel and the dialogs share: the draft, how to change it, what is selected, what is wrong.
import { createContext, useContext } from "react";
import type { PeopleQuestion } from "./api";
import type { Taken } from "./graph";
import type { Fault, Graph, JourneyNode, Settings } from "./types";

export interface Editing {
  journeyId: string;
  graph: Graph;
  settings: Settings;
  readOnly: boolean;
  /** Whether the journey has run, so that cards have numbers. */
  counted: boolean;
  selected: string | null;
  select: (id: string | null) => void;
  /** Changes the graph; changes with the same name in quick succession are one step of undo. */
  change: (edit: (graph: Graph) => Graph, name?: string) => void;
  /** Adds by `edit`, arranges the picture and selects what was added. */
  add: (edit: (graph: Graph, taken: Taken) => { graph: Graph; id: string }) => void;
  /** Ids of every step that was ever published: a new step must not inherit their numbers. */
  taken: Taken;
  faults: ReadonlyMap<string, { errors: Fault[]; warnings: Fault[] }>;
  openPeople: (question: PeopleQuestion) => void;
  titleOf: (node: JourneyNode) => string;
  subtitleOf: (node: JourneyNode) => string;
}

export const EditingContext = createContext<Editing | null>(null);

export function useEditing(): Editing {
  const value = useContext(EditingContext);
  if (!value) throw new Error("outside of the journey's editor");
  return value;
}
