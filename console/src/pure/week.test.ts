import { describe, expect, it } from "vitest";

import { clockOf, DAYS, minutesOf, spans, timeOfDay, weekHours } from "@/pure/week";

describe("the hours of a week", () => {
  it("reads times of day as the API and as inputs write them", () => {
    expect(minutesOf("1970-01-01T08:30:00Z")).toBe(510);
    expect(minutesOf("23:59")).toBe(1439);
    expect(clockOf(timeOfDay("07:05"))).toBe("07:05");
  });

  it("are there on the chosen days only", () => {
    expect(spans(["MONDAY", "FRIDAY"], "08:00", "19:00").map(({ day, from, to }) => [day, from, to])).toEqual([[0, 480, 1140], [4, 480, 1140]]);
    expect(weekHours(spans(DAYS.slice(0, 5), "08:00", "19:00"))).toBe(55);
  });

  it("go over midnight into the next day, and from Sunday into Monday", () => {
    expect(spans(["SUNDAY"], "22:00", "06:00")).toEqual([{ day: 6, from: 1320, to: 1440, of: 6 }, { day: 0, from: 0, to: 360, of: 6 }]);
    expect(spans(["TUESDAY"], "22:00", "00:00")).toHaveLength(1);
  });

  it("are none when they begin as they end", () => {
    expect(spans(["MONDAY"], "08:00", "08:00")).toEqual([]);
  });
});
