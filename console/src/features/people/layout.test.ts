import { describe, expect, it } from "vitest";
import type { Identifier, Link } from "@/features/people/api";
import { layout, shorten } from "@/features/people/layout";

const identifier = (id: number, strength = 50) => ({ identifier_id: id, strength }) as Identifier;
const link = (a: number, b: number, status: Link["status"] = "accepted") => ({ link_id: a * 100 + b, a, b, status }) as Link;

describe("the picture of links", () => {
  it("puts the best connected identifier first and its neighbours beside it", () => {
    const { spots } = layout([identifier(1), identifier(2), identifier(3), identifier(4)], [link(1, 2), link(2, 3), link(2, 4)]);
    const x = (id: number) => spots.get(id)?.x ?? Number.NaN;
    expect(x(2)).toBe(0);
    expect(new Set([x(1), x(3), x(4)]).size).toBe(1);
    expect(x(1)).toBeGreaterThan(0);
  });

  it("keeps every identifier apart, lonely ones and those of other people included", () => {
    const { spots, width, height } = layout([identifier(1), identifier(2), identifier(3)], [link(1, 2), link(2, 9, "refused")]);
    expect([...spots.keys()].sort()).toEqual([1, 2, 3, 9]);
    expect(new Set([...spots.values()].map((spot) => `${spot.x}/${spot.y}`)).size).toBe(4);
    for (const spot of spots.values()) {
      expect(spot.x).toBeLessThan(width);
      expect(spot.y).toBeLessThan(height);
      expect(spot.y).toBeGreaterThanOrEqual(0);
    }
  });

  it("stands closer where a chain is long, so that five columns fit a screen of 1280", () => {
    const chain = (length: number) => layout(Array.from({ length }, (_, at) => identifier(at + 1)), Array.from({ length: length - 1 }, (_, at) => link(at + 1, at + 2)));
    expect([chain(3).across, chain(4).across]).toEqual([236, 236]);
    const five = layout([1, 2, 3, 4, 5].map((id) => identifier(id, id === 1 ? 99 : 50)), [link(1, 2), link(1, 7), link(1, 8), link(2, 3), link(3, 4), link(4, 5)]);
    expect(Math.max(...[...five.spots.values()].map((spot) => spot.x + five.across))).toBe(five.width);
    expect(five.width * 0.78).toBeLessThan(944);
    expect(five.across).toBe(196);
  });

  it("draws nothing for nobody", () => {
    expect(layout([], []).spots.size).toBe(0);
  });
});

describe("a long value", () => {
  it("loses of its account first, so that the identifier itself stays whole", () => {
    expect(shorten("wx0000demo0000mini:oM75****ce41", 24)).toBe("wx0000demo…:oM75****ce41");
    expect(shorten("138****2141", 24)).toBe("138****2141");
  });
  it("loses of its middle where there is no account or no room for it", () => {
    expect(shorten("abcdefghijklmnopqrstuvwxyz", 11)).toBe("abcde…vwxyz");
    expect(shorten("wx:abcdefghijklmnopqrstuvwxyz", 11)).toHaveLength(11);
  });
});
