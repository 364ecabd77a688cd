// Two days, both included. The calendar is loaded when somebody opens it: most pages are read without.
import { CalendarOutlined } from "@ant-design/icons";
import { Button } from "antd";
import { lazy, Suspense, useState } from "react";

const Picker = lazy(() => import("@/shared/DateRangePicker"));

export interface Days {
  from?: string;
  to?: string;
}

interface Props {
  value: Days;
  onChange: (value: Days) => void;
  label: string;
  clearable?: boolean;
  id?: string;
  testId?: string;
  disabled?: boolean;
  danger?: boolean;
}

export function DateRange({ value, onChange, label, clearable = false, id, testId, disabled, danger }: Props) {
  const [open, setOpen] = useState(false);
  const shown = value.from || value.to ? `${value.from ?? "…"} → ${value.to ?? "…"}` : label;
  const face = (
    <Button className="number" id={id} data-testid={testId} disabled={disabled} danger={danger} icon={<CalendarOutlined />} aria-label={`${label} ${shown}`} aria-haspopup="dialog" onClick={() => setOpen(true)}>
      {shown}
    </Button>
  );
  if (!open) return face;
  return (
    <Suspense fallback={face}>
      <Picker value={value} label={label} clearable={clearable} onChange={onChange} onClose={() => setOpen(false)} />
    </Suspense>
  );
}
