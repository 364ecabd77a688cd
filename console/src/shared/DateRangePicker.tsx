// The calendar of a range of days, opened at once. Only loaded through DateRange.
import { DatePicker } from "antd";
import dayjs from "dayjs";
import type { Days } from "@/shared/DateRange";

interface Props {
  value: Days;
  label: string;
  clearable: boolean;
  onChange: (value: Days) => void;
  onClose: () => void;
}

export default function DateRangePicker({ value, label, clearable, onChange, onClose }: Props) {
  const day = (text: string | undefined) => (text ? dayjs(text) : null);
  return (
    <DatePicker.RangePicker
      autoFocus
      defaultOpen
      aria-label={label}
      value={[day(value.from), day(value.to)]}
      allowClear={clearable}
      allowEmpty={clearable ? [true, true] : [false, false]}
      style={{ width: 250 }}
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      onChange={(dates) => onChange({ from: dates?.[0]?.format("YYYY-MM-DD"), to: dates?.[1]?.format("YYYY-MM-DD") })}
    />
  );
}
