// The scale of an interval's picture: symmetric around zero, so that "more" and "less" look alike, with round ends.

export interface Scale {
  /** The end of the axis: it runs from −end to +end. */
  end: number;
  /** A value as a share (0…1) of the axis from the left, clamped to it. */
  place: (value: number) => number;
}

export function scaleOf(values: readonly number[]): Scale {
  const farthest = Math.max(0, ...values.map(Math.abs));
  const end = roundUp(farthest * 1.15);
  return { end, place: (value) => Math.min(1, Math.max(0, (value / end + 1) / 2)) };
}

/** The next of 1, 2, 2.5, 5 × a power of ten; 0.01 where there is nothing to show. */
export function roundUp(value: number): number {
  if (!(value > 0)) return 0.01;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 2.5, 5, 10]) if (step * power >= value * (1 - 1e-9)) return step * power;
  return 10 * power;
}
