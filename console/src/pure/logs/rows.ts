/**
 * What a log view shows of a buffer: the lines that pass a filter, and markers where lines are missing.
 *
 * Grows with the buffer: only new lines are looked at, unless older ones moved or the filter changed.
 */

import type { Line, LogBuffer } from "@/pure/logs/buffer";
import type { Level } from "@/pure/logs/levels";

export interface Filter {
  /** Words that must all be in the line; `-word` must not; `"two words"` belong together. */
  text: string;
  /** Empty: all levels. */
  levels: ReadonlySet<Level>;
  /** stdout, stderr; empty: both. */
  stream: string;
  stepId: string;
  source: string;
}

export const EVERYTHING: Filter = { text: "", levels: new Set(), stream: "", stepId: "", source: "" };

export interface Gap {
  id: string;
  gap: true;
  missing: number;
  source: string;
}

export type Row = Line | Gap;

export const isGap = (row: Row): row is Gap => "gap" in row;

export class LogRows {
  rows: Row[] = [];
  /** Lines among the rows (gap markers are not lines). */
  matches = 0;
  private readonly last = new Map<string, number>();
  private position = 0;
  private rebuilds = -1;
  private readonly passes: (line: Line) => boolean;

  constructor(
    private readonly buffer: LogBuffer,
    filter: Filter = EVERYTHING,
  ) {
    this.passes = compile(filter);
  }

  /** Take in what is new in the buffer; whether anything changed. */
  update(): boolean {
    const moved = this.rebuilds !== this.buffer.rebuilds;
    if (moved) this.restart();
    const from = this.position;
    for (; this.position < this.buffer.lines.length; this.position++) {
      this.take(this.buffer.lines[this.position] as Line);
    }
    return moved || this.position > from;
  }

  private restart(): void {
    this.rebuilds = this.buffer.rebuilds;
    this.position = 0;
    this.rows = [];
    this.matches = 0;
    this.last.clear();
  }

  private take(line: Line): void {
    const last = this.last.get(line.epoch);
    this.last.set(line.epoch, line.sequence);
    if (!this.passes(line)) return;
    const missing = last === undefined ? 0 : line.sequence - last - 1;
    if (missing > 0) this.rows.push({ id: `gap.${line.id}`, gap: true, missing, source: line.source });
    this.rows.push(line);
    this.matches++;
  }
}

/** The terms of a filter text. */
export function terms(text: string): { wanted: string[]; unwanted: string[] } {
  const wanted: string[] = [];
  const unwanted: string[] = [];
  for (const match of text.matchAll(/(-?)(?:"([^"]*)"?|(\S+))/g)) {
    const term = (match[2] ?? match[3] ?? "").toLowerCase();
    if (term !== "") (match[1] === "-" ? unwanted : wanted).push(term);
  }
  return { wanted, unwanted };
}

function compile(filter: Filter): (line: Line) => boolean {
  const { wanted, unwanted } = terms(filter.text);
  return (line) => {
    if (filter.stepId && line.stepId !== filter.stepId) return false;
    if (filter.source && line.source !== filter.source) return false;
    if (filter.levels.size > 0 && !filter.levels.has(line.level)) return false;
    if (filter.stream && line.stream !== filter.stream) return false;
    if (wanted.length === 0 && unwanted.length === 0) return true;
    const text = line.plain.toLowerCase();
    return wanted.every((term) => text.includes(term)) && !unwanted.some((term) => text.includes(term));
  };
}

/** Where the wanted terms stand in a text, as [from, to) pairs in order, not overlapping: what a view marks. */
export function marks(text: string, wanted: string[]): [number, number][] {
  const lower = text.toLowerCase();
  const found: [number, number][] = [];
  for (const term of wanted) {
    for (let at = lower.indexOf(term); at !== -1; at = lower.indexOf(term, at + term.length)) {
      found.push([at, at + term.length]);
    }
  }
  found.sort((one, other) => one[0] - other[0] || other[1] - one[1]);
  let end = 0;
  return found.filter(([from, to]) => {
    if (from < end) return false;
    end = to;
    return true;
  });
}
