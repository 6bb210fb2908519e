import { expect, test } from "vitest";

import { LogBuffer, type WireBatch, type WireLine } from "./buffer";
import { levelOf } from "./levels";
import { EVERYTHING, isGap, LogRows, marks, terms } from "./rows";

const line = (sequence: number, text = `line ${sequence}`, seconds = sequence, stream = "stdout"): WireLine => [sequence, seconds * 1e9, stream, text];
const batch = (epoch: string, ...lines: WireLine[]): WireBatch => ({ epoch, source: epoch, lines });
const texts = (rows: LogRows): string[] => rows.rows.map((row) => (isGap(row) ? `gap ${row.missing}` : row.plain));

function shown(buffer: LogBuffer, filter = {}): LogRows {
  const rows = new LogRows(buffer, { ...EVERYTHING, ...filter });
  rows.update();
  return rows;
}

test("what comes twice, live and from history, counts once", () => {
  const buffer = new LogBuffer();
  expect(buffer.add([batch("a", line(1), line(2))])).toBe(2);
  expect(buffer.add([batch("a", line(2), line(3))])).toBe(1);
  expect(buffer.lines.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
});

test("the same number of another source is another line", () => {
  const buffer = new LogBuffer();
  buffer.add([batch("a", line(1)), batch("b", line(1))]);
  expect(buffer.lines).toHaveLength(2);
});

test("older lines go before newer ones, and say that positions moved", () => {
  const buffer = new LogBuffer();
  buffer.add([batch("a", line(10), line(11))]);
  const before = buffer.rebuilds;
  buffer.add([batch("a", line(8), line(9))]);
  expect(buffer.lines.map(({ sequence }) => sequence)).toEqual([8, 9, 10, 11]);
  expect(buffer.rebuilds).toBe(before + 1);
});

test("lines at the end move nothing", () => {
  const buffer = new LogBuffer();
  buffer.add([batch("a", line(1))]);
  buffer.add([batch("a", line(2)), batch("b", line(1, "b", 3))]);
  expect(buffer.rebuilds).toBe(0);
});

test("inside a source its own order rules, whatever its clock did", () => {
  const buffer = new LogBuffer();
  buffer.add([batch("a", line(1, "one", 100), line(2, "two", 50))]);
  expect(buffer.lines.map(({ text }) => text)).toEqual(["one", "two"]);
});

test("a buffer that is full lets the oldest go, and counts them", () => {
  const buffer = new LogBuffer(100);
  for (let at = 1; at <= 150; at++) buffer.add([batch("a", line(at))]);
  expect(buffer.lines.length).toBeLessThanOrEqual(100);
  expect(buffer.lines.at(-1)?.sequence).toBe(150);
  expect(buffer.dropped + buffer.lines.length).toBe(150);
});

test("100,000 lines are taken in and shown within a moment", () => {
  const buffer = new LogBuffer();
  const rows = new LogRows(buffer);
  const began = performance.now();
  for (let at = 0; at < 1000; at++) {
    buffer.add([batch("a", ...Array.from({ length: 100 }, (_, index) => line(at * 100 + index)))]);
    rows.update();
  }
  expect(rows.matches).toBe(100_000);
  expect(performance.now() - began).toBeLessThan(3000);
});

test("missing lines of a source are marked where they are missing", () => {
  const buffer = new LogBuffer();
  buffer.add([batch("a", line(1), line(2), line(6))]);
  expect(texts(shown(buffer))).toEqual(["line 1", "line 2", "gap 3", "line 6"]);
});

test("a gap that history fills is gone", () => {
  const buffer = new LogBuffer();
  buffer.add([batch("a", line(1), line(4))]);
  const rows = shown(buffer);
  buffer.add([batch("a", line(2), line(3))]);
  rows.update();
  expect(texts(rows)).toEqual(["line 1", "line 2", "line 3", "line 4"]);
});

test("two sources don't make gaps in each other", () => {
  const buffer = new LogBuffer();
  buffer.add([batch("a", line(1, "a1", 1), line(2, "a2", 3)), batch("b", line(7, "b7", 2), line(8, "b8", 4))]);
  expect(texts(shown(buffer))).toEqual(["a1", "b7", "a2", "b8"]);
});

test("only new lines are looked at while nothing moves", () => {
  const buffer = new LogBuffer();
  buffer.add([batch("a", line(1))]);
  const rows = shown(buffer);
  expect(rows.update()).toBe(false);
  const first = rows.rows;
  buffer.add([batch("a", line(2))]);
  expect(rows.update()).toBe(true);
  expect(rows.rows).toBe(first);
});

test("a filter wants all its words, not the excluded ones, phrases whole, in any case", () => {
  const buffer = new LogBuffer();
  buffer.add([batch("a", line(1, "GET /cart 200"), line(2, "GET /cart 500 slow query"), line(3, "POST /cart 200"))]);
  expect(texts(shown(buffer, { text: "get cart" }))).toEqual(["GET /cart 200", "GET /cart 500 slow query"]);
  expect(texts(shown(buffer, { text: "cart -post" }))).toEqual(["GET /cart 200", "GET /cart 500 slow query"]);
  expect(texts(shown(buffer, { text: '"slow query"' }))).toEqual(["GET /cart 500 slow query"]);
});

test("a filter reads what is seen, not the escapes between", () => {
  const buffer = new LogBuffer();
  buffer.add([batch("a", line(1, "\u001b[31mconn\u001b[0mection refused"))]);
  expect(shown(buffer, { text: "connection" }).matches).toBe(1);
});

test("levels and streams filter", () => {
  const buffer = new LogBuffer();
  buffer.add([batch("a", line(1, "ERROR no"), line(2, "INFO yes"), line(3, "out", 3, "stderr"))]);
  expect(texts(shown(buffer, { levels: new Set(["error"]) }))).toEqual(["ERROR no"]);
  expect(texts(shown(buffer, { stream: "stderr" }))).toEqual(["out"]);
});

test("half a phrase is already a filter, and a lone minus is nothing", () => {
  expect(terms('"slow qu')).toEqual({ wanted: ["slow qu"], unwanted: [] });
  expect(terms("- -x ")).toEqual({ wanted: ["-"], unwanted: ["x"] });
});

test("marks stand in order and don't overlap", () => {
  expect(marks("Error: an error", ["error"])).toEqual([
    [0, 5],
    [10, 15],
  ]);
  expect(marks("aaaa aa", ["aa", "aaa"])).toEqual([
    [0, 3],
    [5, 7],
  ]);
});

test("a level is stated, in capitals, or a field; prose with the word in it is none", () => {
  expect(levelOf("warning", "x")).toBe("warn");
  expect(levelOf("", "2026-01-01 ERROR boom")).toBe("error");
  expect(levelOf("", '{"level":"debug","msg":"x"}')).toBe("debug");
  expect(levelOf("", "level=warn msg=slow")).toBe("warn");
  expect(levelOf("", "[INFO] started")).toBe("info");
  expect(levelOf("", "there was no error at all")).toBe("");
  expect(levelOf("", "GET /ERRORS 200")).toBe("");
});
