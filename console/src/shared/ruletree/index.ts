export { RuleTree, usePredicates } from "./RuleTree";
export { FilterList, MoneyInput } from "./filters";
export { OptionSelect, useDebounced, useOptions } from "./options";
export { useUndoable, undoKey, type Undoable } from "./history";
export { problemsOf, type Filter, type Predicate, type RuleError } from "./fields";
export { asGroup, emptyTree, readTree, type Group, type TreeNode } from "./model";
