// The canvas: React Flow draws what the draft says; every change goes back into the draft.
import { AppstoreOutlined, CompressOutlined, ZoomInOutlined, ZoomOutOutlined } from "@ant-design/icons";
import {
  Background,
  BackgroundVariant,
  MarkerType,
  MiniMap,
  Panel,
  ReactFlow,
  useNodesState,
  useReactFlow,
  useStore,
  useUpdateNodeInternals,
  type Connection,
  type Edge,
} from "@xyflow/react";
import { App, Button, Tooltip } from "antd";
import { useCallback, useEffect, useMemo, useRef, useState, type DragEvent, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { useEditing } from "./editing";
import { addNode, connect, disconnect, nodeOf, place, portsOf, removeNodes, whyNot } from "./graph";
import { arrange, CARD_WIDTH, firstView, heightOf, intoSight, portsInPlace } from "./layout";
import { DRAG_TYPE } from "./Palette";
import { StepCard, type StepNode } from "./StepCard";
import { KINDS, type Kind, type Port } from "./types";
import { WayEdge, type WayEdgeType } from "./WayEdge";
import "@xyflow/react/dist/style.css";

const nodeTypes = { step: StepCard };
const edgeTypes = { way: WayEdge };
const COLOURS: Record<Kind, string> = { trigger: "#1554d9", wait: "#64748b", branch: "#6d3fd6", send: "#0b7a5e", goal: "#a8327e", exit: "#3b4763" };

export function Canvas() {
  const { t } = useTranslation("journeys");
  const { graph, readOnly, counted, selected, select, change, faults, taken, titleOf } = useEditing();
  const { message } = App.useApp();
  const flow = useReactFlow();
  const [nodes, setNodes, onNodesChange] = useNodesState<StepNode>([]);
  const [edge, setEdge] = useState<string | null>(null);
  const frame = useRef<HTMLDivElement>(null);
  const updateInternals = useUpdateNodeInternals();

  useEffect(() => {
    setNodes((before) => {
      const known = new Map(before.map((node) => [node.id, node]));
      const several = selected === null && before.filter((node) => node.selected).length > 1;
      return graph.nodes.map((node) => ({
        ...known.get(node.id),
        id: node.id,
        type: "step" as const,
        data: {},
        position: node.position,
        selected: several ? known.get(node.id)?.selected === true : node.id === selected,
        width: CARD_WIDTH,
        height: heightOf(node, counted),
        ariaLabel: `${t(`kinds.${node.kind}`)}: ${titleOf(node)}${faults.get(node.id)?.errors.length ? ` – ${t("canvas.faulty")}` : ""}`,
      }));
    });
  }, [graph.nodes, selected, counted, titleOf, faults, setNodes, t]);

  const shape = graph.nodes.map((node) => `${node.id}:${portsInPlace(graph, node).join()}`).join(" ");
  useEffect(() => updateInternals(shape.split(" ").map((part) => part.split(":")[0] ?? "")), [shape, counted, updateInternals]);

  const edges = useMemo<WayEdgeType[]>(
    () =>
      graph.edges.map((each) => {
        const from = nodeOf(graph, each.from);
        return {
          id: each.id,
          type: "way",
          source: each.from,
          sourceHandle: each.port,
          target: each.to,
          selected: each.id === edge,
          data: { port: each.port, named: from ? portsOf(from).length > 1 : false },
          markerEnd: { type: MarkerType.ArrowClosed, width: 16, height: 16, color: each.id === edge ? "#1554d9" : "#9aabc7" },
          ariaLabel: t("canvas.edge", { from: from ? titleOf(from) : each.from, to: titleOf(nodeOf(graph, each.to) ?? { id: "", kind: "exit", config: {}, position: { x: 0, y: 0 } }) }),
        };
      }),
    [graph, edge, titleOf, t],
  );

  // The first look, once the frame has its size.
  const size = useStore((state) => `${state.width}x${state.height}`);
  const looked = useRef(false);
  useEffect(() => {
    const box = frame.current;
    if (looked.current || !box || size === "0x0" || !graph.nodes.length) return;
    looked.current = true;
    void flow.setViewport(firstView(graph, counted, { width: box.clientWidth, height: box.clientHeight }));
  }, [size, graph, counted, flow]);

  // The panel takes room from the canvas: what it is about must stay in sight.
  useEffect(() => {
    const box = frame.current;
    const node = nodeOf(graph, selected);
    if (!looked.current || !box || !node) return;
    const view = flow.getViewport();
    const shift = intoSight({ left: node.position.x * view.zoom + view.x, top: node.position.y * view.zoom + view.y, width: CARD_WIDTH * view.zoom, height: heightOf(node, counted) * view.zoom }, { width: box.clientWidth, height: box.clientHeight });
    if (shift.x || shift.y) void flow.setViewport({ ...view, x: view.x + shift.x, y: view.y + shift.y }, { duration: 200 });
    // Only when another node is chosen or the frame changes, not while one is dragged.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [selected, size, graph.nodes.length]);

  const refuse = useCallback((why: string) => void message.warning(t(`refusals.${why}`)), [message, t]);
  const onConnect = useCallback(
    (wish: Connection) => {
      const port = (wish.sourceHandle ?? "next") as Port;
      const why = whyNot(graph, wish.source, port, wish.target);
      if (why) {
        if (why !== "same") refuse(why);
        return;
      }
      change((now) => connect(now, wish.source, port, wish.target));
    },
    [graph, change, refuse],
  );

  const onDrop = (event: DragEvent) => {
    const kind = event.dataTransfer.getData(DRAG_TYPE);
    if (!KINDS.includes(kind as Kind) || readOnly) return;
    event.preventDefault();
    const at = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
    const added = addNode(graph, taken, kind as Kind, { x: Math.round(at.x - CARD_WIDTH / 2), y: Math.round(at.y - 30) });
    if (added.graph === graph) return refuse("secondTrigger");
    change(() => added.graph);
    select(added.id);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const focused = (event.target as HTMLElement).classList.contains("react-flow__node") ? (event.target as HTMLElement).dataset["id"] : undefined;
    if (focused && (event.key === "Enter" || event.key === " ")) {
      setEdge(null);
      return select(focused);
    }
    if (event.key === "Escape") return select(null);
    if (readOnly || (event.key !== "Delete" && event.key !== "Backspace")) return;
    if ((event.target as HTMLElement).closest("input, textarea, [contenteditable]")) return;
    const chosen = nodes.filter((node) => node.selected).map((node) => node.id);
    const arrow = (event.target as HTMLElement).closest<HTMLElement>(".react-flow__edge")?.dataset["id"] ?? edge;
    if (arrow) {
      const found = graph.edges.find((each) => each.id === arrow);
      if (found) change((now) => disconnect(now, found.from, found.port));
      setEdge(null);
    } else if (chosen.length) {
      change((now) => removeNodes(now, chosen));
      select(null);
    }
  };

  const tidy = () => change((now) => place(now, arrange(now)));
  return (
    <div className="jc" ref={frame} onKeyDown={onKeyDown} data-testid="canvas">
      <ReactFlow<StepNode, WayEdgeType>
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        edgeTypes={edgeTypes}
        onNodesChange={(changes) => {
          onNodesChange(changes);
          // The end of a drag, or a step by an arrow key: only then it is a change of the draft.
          const moved = changes.flatMap((each) => (each.type === "position" && !each.dragging && each.position ? [[each.id, rounded(each.position)] as const] : []));
          if (moved.length) change((now) => place(now, new Map(moved)), "move");
        }}
        onConnect={onConnect}
        isValidConnection={(wish) => readOnly || !whyNotOf(wish)}
        onNodeClick={(_, node) => {
          setEdge(null);
          select(node.id);
        }}
        onEdgeClick={(_, clicked) => {
          setEdge(clicked.id);
          select(null);
        }}
        onPaneClick={() => {
          setEdge(null);
          select(null);
        }}
        onConnectEnd={(_, ending) => {
          if (ending.isValid === false && ending.fromNode && ending.toNode) {
            const why = whyNot(graph, ending.fromNode.id, (ending.fromHandle?.id ?? "next") as Port, ending.toNode.id);
            if (why && why !== "same") refuse(why);
          }
        }}
        onDragOver={(event) => {
          if (event.dataTransfer.types.includes(DRAG_TYPE)) event.preventDefault();
        }}
        onDrop={onDrop}
        nodesDraggable={!readOnly}
        nodesConnectable={!readOnly}
        edgesReconnectable={false}
        deleteKeyCode={null}
        selectionKeyCode="Shift"
        multiSelectionKeyCode={["Meta", "Control"]}
        onlyRenderVisibleElements={graph.nodes.length > 100}
        minZoom={0.3}
        maxZoom={1.5}
        panOnScroll
        ariaLabelConfig={{
          "node.a11yDescription.default": t("canvas.nodeHelp"),
          "node.a11yDescription.keyboardDisabled": t("canvas.nodeHelp"),
          "edge.a11yDescription.default": t("canvas.edgeHelp"),
          "minimap.ariaLabel": t("canvas.minimap"),
        }}
      >
        <Background variant={BackgroundVariant.Dots} gap={20} size={1.6} color="#d3dbe8" />
        {graph.nodes.length > 7 ? <MiniMap pannable nodeColor={(node) => COLOURS[nodeOf(graph, node.id)?.kind ?? "exit"]} nodeBorderRadius={8} position="bottom-right" /> : null}
        <Panel position="bottom-left" className="jc-tools">
          <Tooltip title={t("canvas.zoomOut")}>
            <Button type="text" size="small" icon={<ZoomOutOutlined />} aria-label={t("canvas.zoomOut")} onClick={() => void flow.zoomOut()} />
          </Tooltip>
          <ZoomShown />
          <Tooltip title={t("canvas.zoomIn")}>
            <Button type="text" size="small" icon={<ZoomInOutlined />} aria-label={t("canvas.zoomIn")} onClick={() => void flow.zoomIn()} />
          </Tooltip>
          <Tooltip title={t("canvas.fit")}>
            <Button type="text" size="small" icon={<CompressOutlined />} aria-label={t("canvas.fit")} data-testid="canvas-fit" onClick={() => void flow.fitView({ padding: 0.08, maxZoom: 1 })} />
          </Tooltip>
          {readOnly ? null : (
            <Tooltip title={t("canvas.tidy")}>
              <Button type="text" size="small" icon={<AppstoreOutlined />} aria-label={t("canvas.tidy")} data-testid="canvas-tidy" onClick={tidy} />
            </Tooltip>
          )}
        </Panel>
      </ReactFlow>
    </div>
  );

  function whyNotOf(wish: Connection | Edge) {
    return whyNot(graph, wish.source, (wish.sourceHandle ?? "next") as Port, wish.target);
  }
}

const rounded = ({ x, y }: { x: number; y: number }) => ({ x: Math.round(x), y: Math.round(y) });

function ZoomShown() {
  const zoom = useStore((state) => Math.round(state.transform[2] * 100));
  return <span className="jc-zoom number">{zoom}%</span>;
}
