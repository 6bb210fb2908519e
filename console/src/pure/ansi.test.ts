import { expect, test } from "vitest";

import { parseAnsi, stripAnsi } from "./ansi";

const texts = (line: string): string[] => parseAnsi(line).map(({ text }) => text);

test("a plain line is one span without a style", () => {
  expect(parseAnsi("GET / 200")).toEqual([{ text: "GET / 200", style: {} }]);
  expect(parseAnsi("")).toEqual([]);
});

test("colours, weights and their ends become styles", () => {
  expect(parseAnsi("\u001b[1;31mbad\u001b[0m ok")).toEqual([
    { text: "bad", style: { bold: true, color: 1 } },
    { text: " ok", style: {} },
  ]);
  expect(parseAnsi("\u001b[92mgo\u001b[39m on")[1]?.style.color).toBeUndefined();
});

test("256 and true colours are understood, with semicolons or colons", () => {
  expect(parseAnsi("\u001b[38;5;208mx")[0]?.style.color).toBe("rgb(255 135 0)");
  expect(parseAnsi("\u001b[48;2;1;2;3mx")[0]?.style.background).toBe("rgb(1 2 3)");
  expect(parseAnsi("\u001b[38;5;9mx")[0]?.style.color).toBe(9);
  expect(parseAnsi("\u001b[38;5;244mx")[0]?.style.color).toBe("rgb(128 128 128)");
});

test("colours outside their range are no colour, never a piece of CSS", () => {
  expect(parseAnsi("\u001b[38;2;999;0;0mx")[0]?.style.color).toBeUndefined();
  expect(parseAnsi("\u001b[38;5;999mx")[0]?.style.color).toBeUndefined();
  expect(parseAnsi("\u001b[38;2mx")[0]?.style.color).toBe("rgb(0 0 0)");
});

test("cursor movements, titles, links and stray controls are dropped", () => {
  expect(texts("a\u001b[2Kb\u001b[10;5Hc").join("")).toBe("abc");
  expect(stripAnsi("\u001b]0;title\u0007text")).toBe("text");
  expect(stripAnsi("\u001b]8;;javascript:alert(1)\u001b\\click\u001b]8;;\u001b\\")).toBe("click");
  expect(stripAnsi("\u001bPsecret\u001b\\shown")).toBe("shown");
  expect(stripAnsi("bell\u0007 back\u0008 nul\u0000")).toBe("bell back nul");
  expect(stripAnsi("8-bit \u009b31mred")).toBe("8-bit red");
});

test("an escape that is cut off at the end leaves nothing behind", () => {
  expect(stripAnsi("done\u001b[3")).toBe("done3");
  expect(stripAnsi("done\u001b")).toBe("done");
  expect(stripAnsi("done\u001b]0;never ended")).toBe("done");
});

test("a line that rewrites itself shows what was written last", () => {
  expect(stripAnsi("10 %\r50 %\r100 %")).toBe("100 %");
  expect(stripAnsi("windows line\r")).toBe("windows line");
});

test("markup stays text", () => {
  expect(texts("<script>alert(1)</script>")).toEqual(["<script>alert(1)</script>"]);
});

test("a hostile line is read in a moment", () => {
  const began = performance.now();
  parseAnsi("\u001b[".repeat(50_000));
  parseAnsi(`\u001b[${"1;".repeat(50_000)}m`);
  parseAnsi("\u001b]".repeat(20_000));
  expect(performance.now() - began).toBeLessThan(1500);
});
