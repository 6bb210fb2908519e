/** One row of a log: a line with its time and level, or a marker where lines are missing. */

import { memo, useState } from "react";

import { clockTime, count, dateTime } from "@/pure/format";
import type { Line } from "@/pure/logs/buffer";
import type { Level } from "@/pure/logs/levels";
import { isGap, type Row } from "@/pure/logs/rows";
import { LineText } from "@/features/logs/text";
import { cx } from "@/ui/cx";
import { Icon } from "@/ui/icons";

const EDGE: Record<Level, string> = {
  error: "border-bad",
  warn: "border-warn",
  info: "border-transparent",
  debug: "border-transparent",
  "": "border-transparent",
};

export interface RowLook {
  wrap: boolean;
  times: boolean;
  /** Source → what it is called here; left out: sources are not shown. */
  sources: Map<string, string> | undefined;
  wanted: string[];
  /** The line that the address names. */
  target: string;
  /** Put a link to a line into the address and the clipboard. */
  onLink: (id: string) => void;
}

export const LogRow = memo(function LogRow({ row, look }: { row: Row; look: RowLook }) {
  if (isGap(row)) {
    return (
      <div className="flex h-5 items-center gap-2 px-3 text-xs text-warn">
        <span className="h-px flex-1 bg-warn/40" />
        <Icon name="warning" size={12} /> {count(row.missing, "line")} missing here
        <span className="h-px flex-1 bg-warn/40" />
      </div>
    );
  }
  return <LineRow line={row} look={look} />;
});

function LineRow({ line, look }: { line: Line; look: RowLook }) {
  const [open, setOpen] = useState(false);
  const isJson = line.plain.startsWith("{") && line.plain.endsWith("}");
  const tone = line.level === "error" ? "text-bad" : line.level === "warn" ? "text-warn" : line.level === "debug" ? "text-muted" : "";
  return (
    <div
      className={cx(
        "flex min-h-5 border-l-2 pl-2 pr-3 font-mono text-xs leading-5 hover:bg-hover",
        EDGE[line.level],
        line.stream === "system" && "text-busy",
        look.wrap ? "w-full" : "w-max min-w-full",
        line.id === look.target && "!border-accent bg-accent-soft",
      )}
    >
      {look.times && (
        <button
          type="button"
          tabIndex={-1} // a stop for each line would make the keyboard useless
          className="mr-3 h-5 shrink-0 select-none hover:underline max-sm:hidden"
          title={`${dateTime(line.time)}. Copies a link to this line.`}
          onClick={() => look.onLink(line.id)}
        >
          <time className="num text-muted">{clockTime(line.time)}</time>
        </button>
      )}
      {look.sources && (
        <span className="mr-3 w-20 shrink-0 truncate text-muted select-none max-sm:hidden" title={line.source}>
          {look.sources.get(line.source) ?? line.source}
        </span>
      )}
      {isJson && (
        <button
          type="button"
          className="mr-1 h-5 shrink-0 text-muted hover:text-text"
          aria-expanded={open}
          aria-label={open ? "Fold the fields" : "Unfold the fields"}
          onClick={() => setOpen(!open)}
        >
          <Icon name={open ? "down" : "right"} size={12} />
        </button>
      )}
      <span className={cx("min-w-0", tone, look.wrap ? "break-all whitespace-pre-wrap" : "whitespace-pre")}>
        {isJson && open ? <Fields text={line.plain} /> : <LineText text={line.text} wanted={look.wanted} />}
      </span>
    </div>
  );
}

function Fields({ text }: { text: string }) {
  const fields = parsed(text);
  if (!fields) return <>{text}</>;
  return (
    <span className="grid grid-cols-[auto_1fr] gap-x-3 whitespace-pre-wrap">
      {Object.entries(fields).map(([name, value]) => (
        <span key={name} className="contents">
          <span className="text-muted">{name}</span>
          <span>{typeof value === "string" ? value : JSON.stringify(value, null, 2)}</span>
        </span>
      ))}
    </span>
  );
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
