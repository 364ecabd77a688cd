// The condition tree on the screen: groups with their relation, rules with their forms, moved by mouse or keyboard.
import { CopyOutlined, DeleteOutlined, EllipsisOutlined, HolderOutlined, PlusOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { Button, Dropdown, InputNumber, Select, Skeleton } from "antd";
import { createContext, useContext, useMemo, useState, type DragEvent } from "react";
import { useTranslation } from "react-i18next";
import { get, say } from "@/shared/api";
import { ErrorState } from "@/shared/ui";
import { defaults, extraFields, isShown, isUsed, problemsOf, withValue, type Predicate, type Problem, type RuleError } from "./fields";
import { FieldControl } from "./field";
import * as edit from "./model";
import type { Group, Operator, Rule, TreeNode } from "./model";
import "./ruletree.css";

export function usePredicates() {
  return useQuery({
    queryKey: ["predicates"],
    queryFn: ({ signal }) => get<{ items: Predicate[] }>("/predicates", undefined, signal),
    staleTime: 600_000,
    select: (answer) => new Map(answer.items.map((item) => [item.key, item])),
  });
}

interface Editing {
  root: Group;
  predicates: ReadonlyMap<string, Predicate>;
  problems: Problem[];
  errors: RuleError[];
  disabled: boolean;
  dragged: string | null;
  setDragged: (id: string | null) => void;
  apply: (change: (root: Group) => Group, name?: string) => void;
}

const Context = createContext<Editing | null>(null);

function useEditing(): Editing {
  const value = useContext(Context);
  if (!value) throw new Error("outside of RuleTree");
  return value;
}

interface Props {
  value: Group;
  onChange: (change: (root: Group) => Group, name?: string) => void;
  errors?: RuleError[];
  disabled?: boolean;
}

const NO_ERRORS: RuleError[] = [];

export function RuleTree({ value, onChange, errors = NO_ERRORS, disabled = false }: Props) {
  const { t } = useTranslation("ruletree");
  const predicates = usePredicates();
  const [dragged, setDragged] = useState<string | null>(null);
  const editing = useMemo<Editing | null>(
    () =>
      predicates.data
        ? { root: value, predicates: predicates.data, problems: problemsOf(value, predicates.data), errors, disabled, dragged, setDragged, apply: onChange }
        : null,
    [value, predicates.data, errors, disabled, dragged, onChange],
  );
  if (predicates.isError) return <ErrorState error={predicates.error} retry={() => void predicates.refetch()} />;
  if (!editing) return <Skeleton active title={false} paragraph={{ rows: 3 }} />;
  return (
    <Context.Provider value={editing}>
      <div role="group" aria-label={t("label")} data-testid="ruletree">
        <GroupView group={value} isRoot />
      </div>
    </Context.Provider>
  );
}

function Messages({ id }: { id: string }) {
  const { t } = useTranslation("ruletree");
  const { errors, problems } = useEditing();
  const own = errors.filter((error) => error.id === id);
  return (
    <>
      {own.map((error) => (
        <p className="rt-error" role="alert" key={`${error.field}${error.message}`} data-testid={`rule-error-${id}`}>
          {error.message}
        </p>
      ))}
      {own.length
        ? null
        : problems
            .filter((problem) => problem.id === id)
            .map((problem) => (
              <p className="rt-todo" key={problem.kind}>
                {problem.kind === "missing"
                  ? t("missing", { field: say(problem.field.label) })
                  : problem.kind === "empty"
                    ? t("emptyGroup")
                    : problem.kind === "unknown"
                      ? t("unknown", { key: problem.key })
                      : t(problem.kind, { limit: problem.limit })}
              </p>
            ))}
    </>
  );
}

function GroupView({ group, isRoot = false }: { group: Group; isRoot?: boolean }) {
  const { t } = useTranslation("ruletree");
  const { apply, disabled } = useEditing();
  const operators: Operator[] = ["and", "or", "not", "at_least"];
  const single = group.children.length < 2 && group.op === "and";
  return (
    <div className={`rt-group ${group.op}`} role="group" aria-label={t(`opLong.${group.op}`)} data-testid={`group-${group.id}`}>
      <div className={`rt-rail ${group.op}${single ? " single" : ""}`}>
        <Select<Operator>
          aria-label={t("opLabel")}
          data-testid={`group-op-${group.id}`}
          size="small"
          value={group.op}
          disabled={disabled}
          popupMatchSelectWidth={false}
          style={{ minWidth: 66 }}
          labelRender={(item) => t(`op.${String(item.value)}`)}
          options={operators.map((op) => ({ value: op, label: t(`opLong.${op}`) }))}
          onChange={(op) => apply((root) => edit.setOperator(root, group.id, op))}
        />
        {group.op === "at_least" ? (
          <span className="rt-k">
            <InputNumber
              aria-label={t("kLabel")}
              data-testid={`group-k-${group.id}`}
              size="small"
              min={1}
              max={Math.max(1, group.children.length)}
              value={group.k}
              disabled={disabled}
              style={{ width: 52 }}
              onChange={(k) => apply((root) => edit.setAtLeast(root, group.id, k ?? 1), `${group.id}.k`)}
            />
            {t("kOf")}
          </span>
        ) : null}
      </div>
      <div className="rt-children">
        {group.children.map((child, index) => (
          <Slot key={child.id} node={child} parent={group} index={index} />
        ))}
        <AddBar group={group} isRoot={isRoot} />
      </div>
    </div>
  );
}

function AddBar({ group, isRoot }: { group: Group; isRoot: boolean }) {
  const { t } = useTranslation("ruletree");
  const { apply, disabled, predicates, dragged, setDragged } = useEditing();
  const [over, setOver] = useState(false);
  const byGroup = new Map<string, Predicate[]>();
  for (const predicate of predicates.values()) byGroup.set(say(predicate.group), [...(byGroup.get(say(predicate.group)) ?? []), predicate]);
  const first = (predicate: Predicate) => ({ predicate: predicate.key, params: defaults(predicate) });
  const items = (add: (predicate: Predicate) => void) =>
    [...byGroup].map(([name, members]) => ({
      key: name,
      type: "group" as const,
      label: name,
      children: members.map((predicate) => ({ key: predicate.key, label: <span data-testid={`add-${predicate.key}`}>{say(predicate.label)}</span>, onClick: () => add(predicate) })),
    }));
  return (
    <div
      className={`rt-node rt-add${over ? " over" : ""}`}
      onDragOver={(event) => {
        if (!dragged) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        if (dragged) apply((root) => edit.move(root, dragged, group.id, group.children.length));
        setDragged(null);
      }}
    >
      <Dropdown
        disabled={disabled}
        trigger={["click"]}
        menu={{ items: items((predicate) => apply((root) => edit.addRule(root, group.id, predicate.key, first(predicate).params))) }}
      >
        <Button type={isRoot && !group.children.length ? "primary" : "dashed"} icon={<PlusOutlined />} data-testid={`add-rule-${group.id}`} disabled={disabled}>
          {t("addRule")}
        </Button>
      </Dropdown>
      <Button type="text" icon={<PlusOutlined />} disabled={disabled} data-testid={`add-group-${group.id}`} onClick={() => apply((root) => edit.addGroup(root, group.id, group.op === "or" ? "and" : "or"))}>
        {t("addGroup")}
      </Button>
      <Messages id={group.id} />
      {isRoot ? null : (
        <span className="rt-tools">
          <Grip id={group.id} />
          <Tools id={group.id} isGroup />
        </span>
      )}
    </div>
  );
}

function Slot({ node, parent, index }: { node: TreeNode; parent: Group; index: number }) {
  const { apply, dragged, setDragged } = useEditing();
  const [over, setOver] = useState(false);
  const drop = {
    onDragOver: (event: DragEvent) => {
      if (!dragged || dragged === node.id) return;
      event.preventDefault();
      event.stopPropagation();
      setOver(true);
    },
    onDragLeave: () => setOver(false),
    onDrop: (event: DragEvent) => {
      event.preventDefault();
      event.stopPropagation();
      setOver(false);
      if (dragged) apply((root) => edit.move(root, dragged, parent.id, index));
      setDragged(null);
    },
  };
  return (
    <div className={`rt-node${over ? " over" : ""}`} {...drop}>
      {node.type === "rule" ? (
        <RuleView rule={node} />
      ) : (
        <GroupView group={node} />
      )}
    </div>
  );
}

function Grip({ id }: { id: string }) {
  const { t } = useTranslation("ruletree");
  const { apply, disabled, setDragged } = useEditing();
  if (disabled) return null;
  return (
    <button
      type="button"
      className="rt-grip"
      draggable
      aria-label={t("drag")}
      title={t("drag")}
      data-testid={`grip-${id}`}
      onDragStart={(event) => {
        event.dataTransfer.setData("text/plain", id);
        event.dataTransfer.effectAllowed = "move";
        setDragged(id);
      }}
      onDragEnd={() => setDragged(null)}
      onKeyDown={(event) => {
        if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
        event.preventDefault();
        apply((root) => edit.nudge(root, id, event.key === "ArrowUp" ? -1 : 1));
        // A rule that steps into or out of a group is drawn anew there: take the focus along.
        requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-testid="grip-${id}"]`)?.focus());
      }}
    >
      <HolderOutlined aria-hidden />
    </button>
  );
}

function Menu({ id, isGroup }: { id: string; isGroup: boolean }) {
  const { t } = useTranslation("ruletree");
  const { apply } = useEditing();
  return (
    <Dropdown
      trigger={["click"]}
      menu={{
        items: [
          { key: "up", label: t("up"), onClick: () => apply((root) => edit.nudge(root, id, -1)) },
          { key: "down", label: t("down"), onClick: () => apply((root) => edit.nudge(root, id, 1)) },
          isGroup
            ? { key: "unwrap", label: t("unwrap"), onClick: () => apply((root) => edit.unwrap(root, id)) }
            : { key: "wrap", label: t("wrap"), onClick: () => apply((root) => edit.wrap(root, id, "or")) },
        ],
      }}
    >
      <Button type="text" size="small" icon={<EllipsisOutlined />} aria-label={t("actions")} data-testid={`more-${id}`} />
    </Dropdown>
  );
}

function Tools({ id, isGroup }: { id: string; isGroup: boolean }) {
  const { t } = useTranslation("ruletree");
  const { apply, disabled } = useEditing();
  if (disabled) return null;
  return (
    <span className="rt-tools">
      <Button type="text" size="small" icon={<CopyOutlined />} aria-label={t("duplicate")} title={t("duplicate")} data-testid={`duplicate-${id}`} onClick={() => apply((root) => edit.duplicate(root, id))} />
      <Menu id={id} isGroup={isGroup} />
      <Button type="text" size="small" icon={<DeleteOutlined />} aria-label={t("remove")} title={t("remove")} data-testid={`remove-${id}`} onClick={() => apply((root) => edit.removeNode(root, id))} />
    </span>
  );
}

function RuleView({ rule }: { rule: Rule }) {
  const { t } = useTranslation("ruletree");
  const { predicates, errors, apply, disabled } = useEditing();
  const predicate = predicates.get(rule.predicate);
  const own = errors.filter((error) => error.id === rule.id);
  const [open, setOpen] = useState(false);
  const shown = (predicate?.fields ?? []).filter((field) => isShown(field, rule.params));
  // What limits further is folded away until it is used: one short form per rule.
  const extras = extraFields(shown);
  const visible = shown.filter((field) => !extras.includes(field) || open || isUsed(field, rule.params));
  return (
    <div className={`rt-rule${own.length ? " bad" : ""}`} role="group" aria-label={predicate ? say(predicate.label) : rule.predicate} data-testid={`rule-${rule.id}`}>
      <Grip id={rule.id} />
      <Select
        aria-label={t("pick")}
        data-testid={`predicate-${rule.id}`}
        value={rule.predicate}
        disabled={disabled}
        popupMatchSelectWidth={false}
        style={{ minWidth: 128 }}
        options={[...predicates.values()].map((item) => ({ value: item.key, label: say(item.label) }))}
        onChange={(key) => {
          const next = predicates.get(key);
          if (next) apply((root) => edit.updateRule(root, rule.id, { predicate: key, params: defaults(next) }));
        }}
      />
      <div className="rt-fields">
        {predicate
          ? visible.map((field, index) => (
              <FieldControl
                key={field.key}
                rule={rule}
                field={field}
                named={(index > 0 || field.type === "integer") && !(field.type === "integer" && !!field.unit && !!visible[index - 1]?.options?.length)}
                bad={own.some((error) => error.field.split(".")[0] === field.key)}
                disabled={disabled}
                onChange={(key, value) =>
                  apply((root) => {
                    const now = edit.find(root, rule.id);
                    return now?.type === "rule" ? edit.updateRule(root, rule.id, { params: withValue(predicate, now.params, key, value) }) : root;
                  }, `${rule.id}.${key}`)
                }
              />
            ))
          : null}
        {extras.some((field) => !isUsed(field, rule.params)) ? (
          <Button type="link" size="small" aria-expanded={open} data-testid={`limits-${rule.id}`} onClick={() => setOpen(!open)} style={{ height: 32 }}>
            {t(open ? "less" : "more")}
          </Button>
        ) : null}
      </div>
      <Tools id={rule.id} isGroup={false} />
      <Messages id={rule.id} />
    </div>
  );
}
