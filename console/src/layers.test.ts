import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

const LAYERS = ["pure", "api", "live", "ui", "features"];
const source = new URL(".", import.meta.url).pathname;
const files = readdirSync(source, { recursive: true }).map(String).filter((name) => /\.tsx?$/.test(name));

test("lower folders import nothing of higher ones, but types", () => {
  const wrong: string[] = [];
  for (const file of files) {
    const own = LAYERS.indexOf(file.split("/")[0] ?? "");
    if (own === -1) continue;
    for (const [whole, layer] of readFileSync(join(source, file), "utf8").matchAll(/^(?!import type )(?:import|export) [^;]*from "@\/(\w+)\//gm)) {
      if (LAYERS.indexOf(layer ?? "") > own) wrong.push(`${file}: ${whole}`);
    }
  }
  expect(files.length).toBeGreaterThan(50);
  expect(wrong).toEqual([]);
});

test("nothing is ever set as HTML, and no token is kept in reach of scripts", () => {
  const wrong = files.filter((file) => {
    if (file.endsWith(".test.ts")) return false;
    const text = readFileSync(join(source, file), "utf8");
    return /dangerouslySetInnerHTML|innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function\(|document\.cookie/.test(text);
  });
  expect(wrong).toEqual([]);
});

test("files are short enough to be read", () => {
  const long = files.filter((file) => readFileSync(join(source, file), "utf8").split("\n").length > 400);
  expect(long).toEqual([]);
});
