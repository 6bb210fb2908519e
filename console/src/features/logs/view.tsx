/**
 * A log: history and live on one time line, virtual, following its end until the reader scrolls up.
 *
 * While paused, new lines are counted, not shown under the reader's eyes: the position holds.
 */

import { useLocation, useNavigate } from "@tanstack/react-router";
import { useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";

import type { LogStore } from "@/features/logs/store";
import { LogRow, type RowLook } from "@/features/logs/row";
import { type Filters, LogToolbar } from "@/features/logs/toolbar";
import { count } from "@/pure/format";
import { endings } from "@/pure/names";
import { stripAnsi } from "@/pure/ansi";
import { type Filter, isGap, LogRows, terms } from "@/pure/logs/rows";
import { cx } from "@/ui/cx";
import { Icon } from "@/ui/icons";
import { Button } from "@/ui/button";
import { say } from "@/ui/toasts";

const ROW_HEIGHT = 20;
const AT_END_PX = 24;
const NEAR_START_PX = 600;
const SETTINGS = "slipway.logs";

type Virtual = Virtualizer<HTMLDivElement, Element>;

interface LogViewProps {
  store: LogStore;
  /** Only the lines of one step. */
  stepId?: string;
  name: string;
  empty: ReactNode;
  /** Height classes of the whole. */
  className?: string;
  live?: boolean;
}

export function LogView({ store, stepId = "", name, empty, className, live = true }: LogViewProps) {
  const version = useSyncExternalStore(store.watch, store.read);
  const [filters, setFilters] = useState<Filters>({ text: "", levels: new Set(), stream: "" });
  const [wide, setWide] = useState(false);
  const [settings, setSettings] = useSettings();
  const filter: Filter = useMemo(() => ({ ...filters, stepId, source: "" }), [filters, stepId]);
  const rows = useMemo(() => new LogRows(store.buffer, filter), [store, filter]);
  rows.update();

  const sources = useSources(store, version);
  const { target, onLink } = useLineLink(stepId);
  const look: RowLook = useMemo(
    () => ({ ...settings, sources: stepId ? undefined : sources, wanted: terms(filters.text).wanted, target, onLink }),
    [settings, sources, stepId, filters.text, target, onLink],
  );
  const text = useCallback(
    () => rows.rows.map((row) => (isGap(row) ? `… ${row.missing} lines missing …` : `${new Date(row.time).toISOString()} ${stripAnsi(row.text)}`)).join("\n"),
    [rows],
  );

  return (
    <section
      aria-label={name}
      className={cx("flex flex-col overflow-hidden bg-log", wide ? "fixed inset-0 z-40" : cx("rounded-lg border border-line", className))}
    >
      <LogToolbar
        filters={filters}
        onFilters={setFilters}
        settings={settings}
        onSettings={setSettings}
        wide={wide}
        onWide={setWide}
        matches={rows.matches}
        text={text}
        name={name}
      />
      <Lines key={`${stepId}`} store={store} rows={rows} look={look} empty={empty} live={live} version={version} filtered={isFiltered(filters)} />
    </section>
  );
}

const LINE = "line=";

/** A line's link is the page's address with the line behind the `#`; the line's id says where it came from, and its place there. */
function useLineLink(stepId: string): { target: string; onLink: (id: string) => void } {
  const hash = useLocation({ select: (location) => location.hash });
  const navigate = useNavigate();
  const onLink = useCallback(
    (id: string) => {
      void navigate({ to: ".", search: (before: Record<string, unknown>) => (stepId ? { ...before, step: stepId } : before), hash: LINE + encodeURIComponent(id), replace: true, resetScroll: false, hashScrollIntoView: false } as never)
        .then(() => navigator.clipboard.writeText(location.href))
        .then(() => say("Link to the line copied"), () => say("The link to the line is in the address bar"));
    },
    [navigate, stepId],
  );
  return { target: hash.startsWith(LINE) ? decodeURIComponent(hash.slice(LINE.length)) : "", onLink };
}

/** The sources of the newest lines by their short names; nothing while there is only one. The same object while they stay. */
function useSources(store: LogStore, version: number): Map<string, string> | undefined {
  const key = useMemo(() => [...new Set(store.buffer.lines.slice(-2000).map((line) => line.source))].sort().join("\n"), [store, version]);
  return useMemo(() => (key.includes("\n") ? endings(key.split("\n")) : undefined), [key]);
}

const isFiltered = (filters: Filters): boolean => filters.text !== "" || filters.levels.size > 0 || filters.stream !== "";

interface LinesProps {
  store: LogStore;
  rows: LogRows;
  look: RowLook;
  empty: ReactNode;
  live: boolean;
  version: number;
  filtered: boolean;
}

function Lines({ store, rows, look, empty, live, version, filtered }: LinesProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const { following, unseen, follow, pause, onScroll } = useFollow(scroller, store, rows, version);
  const virtual: Virtual = useVirtualizer<HTMLDivElement, Element>({
    count: rows.rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (index) => rows.rows[index]?.id ?? index,
    overscan: 30,
  });
  const items = virtual.getVirtualItems();
  const height = virtual.getTotalSize();

  useLayoutEffect(() => {
    if (following && scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, [following, height, version]);

  useKeepPlace(scroller, rows, following, virtual);
  const isLost = useTarget(look.target, store, rows, virtual, pause, version);

  return (
    <div className="relative min-h-0 flex-1">
      <div
        ref={scroller}
        onScroll={onScroll}
        role="log"
        aria-live="off"
        tabIndex={0}
        className="absolute inset-0 overflow-auto overscroll-contain py-1 focus-visible:-outline-offset-2"
      >
        {isLost && <p className="px-3 py-1 text-xs text-warn">The line of the link is not kept any more, or this filter hides it.</p>}
        <Before store={store} dropped={store.buffer.dropped} hasRows={rows.rows.length > 0} />
        {rows.rows.length === 0 && store.history !== "loading" && (
          <div className="px-4 py-8 text-center text-sm text-muted">{filtered ? "No line passes this filter." : empty}</div>
        )}
        <div className="relative min-w-full" style={{ height }}>
          <div className="absolute left-0 top-0 min-w-full" style={{ transform: `translateY(${items[0]?.start ?? 0}px)` }}>
            {items.map((item) => {
              const row = rows.rows[item.index];
              return (
                row && (
                  <div key={item.key} data-index={item.index} ref={virtual.measureElement}>
                    <LogRow row={row} look={look} />
                  </div>
                )
              );
            })}
          </div>
        </div>
      </div>
      {!following && live && (
        <div className="pointer-events-none absolute inset-x-0 bottom-3 flex justify-center">
          <Button small look={unseen > 0 ? "primary" : "secondary"} className="pointer-events-auto shadow-pop" onClick={follow}>
            <Icon name="down" size={14} />
            {unseen > 0 ? count(unseen, "new line") : "Follow"}
          </Button>
        </div>
      )}
    </div>
  );
}

function Before({ store, dropped, hasRows }: { store: LogStore; dropped: number; hasRows: boolean }) {
  if (store.history === "failed") {
    return (
      <p className="px-3 py-1 text-xs text-bad">
        {store.refused || "Older lines could not be loaded."}{" "}
        <button type="button" className="underline" onClick={() => void store.older()}>
          Try again
        </button>
      </p>
    );
  }
  if (store.history === "loading") return <p className="px-3 py-1 text-xs text-muted">Loading lines…</p>;
  if (store.history === "more" && dropped === 0) {
    return (
      <p className="px-3 py-1 text-xs">
        <button type="button" className="text-accent hover:underline" onClick={() => void store.older()}>
          Load older lines
        </button>
      </p>
    );
  }
  if (dropped > 0) return <p className="px-3 py-1 text-xs text-muted">{count(dropped, "older line")} left out of this view.</p>;
  return hasRows ? <p className="px-3 py-1 text-2xs text-muted">The beginning of what is kept</p> : null;
}

/** Follow the end until the reader scrolls up; count what comes meanwhile. */
function useFollow(scroller: React.RefObject<HTMLDivElement | null>, store: LogStore, rows: LogRows, version: number) {
  const [following, setFollowing] = useState(true);
  const [left, setLeft] = useState(0);
  const before = useRef(0);
  const onScroll = (): void => {
    const element = scroller.current;
    if (!element) return;
    if (!following && element.scrollTop < NEAR_START_PX && store.history === "more" && store.buffer.dropped === 0) void store.older();
    const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < AT_END_PX;
    const upwards = element.scrollTop < before.current;
    before.current = element.scrollTop;
    if (following && upwards && !atEnd) {
      setLeft(rows.matches);
      setFollowing(false);
    } else if (!following && atEnd) setFollowing(true);
  };
  useEffect(() => setLeft((known) => Math.min(known, rows.matches)), [rows, version]);
  return { following, unseen: following ? 0 : Math.max(0, rows.matches - left), follow: () => setFollowing(true), pause: () => setFollowing(false), onScroll };
}

/** Go to the line that the address names, loading what is older until it is there. Whether it can't be found. */
function useTarget(target: string, store: LogStore, rows: LogRows, virtual: Virtual, pause: () => void, version: number): boolean {
  const done = useRef("");
  const [isLost, setLost] = useState(false);
  useEffect(() => {
    if (!target || done.current === target) return;
    const index = rows.rows.findIndex((row) => row.id === target);
    if (index >= 0) {
      done.current = target;
      setLost(false);
      pause();
      virtual.scrollToIndex(index, { align: "center" });
    } else if (store.history === "more" && store.buffer.dropped === 0) {
      void store.older();
    } else if (store.history !== "loading") {
      done.current = target;
      setLost(true);
    }
    // eslint-disable-next-line react-hooks/exhaustive-deps -- lines that came are what it waits for
  }, [target, version, rows]);
  return isLost;
}

/** When lines come or go above, what the reader looks at stays where it is. */
function useKeepPlace(scroller: React.RefObject<HTMLDivElement | null>, rows: LogRows, following: boolean, virtual: Virtual): void {
  const anchor = useRef<{ id: string; index: number; start: number } | undefined>(undefined);
  useLayoutEffect(() => {
    const element = scroller.current;
    const known = anchor.current;
    if (element && known && !following && rows.rows[known.index]?.id !== known.id) {
      const index = rows.rows.findIndex((row) => row.id === known.id);
      const start = index === -1 ? undefined : virtual.getOffsetForIndex(index, "start")?.[0];
      if (start !== undefined) element.scrollTop += start - known.start;
    }
    const first = element && virtual.getVirtualItems().find((item) => item.end > element.scrollTop);
    const row = first && rows.rows[first.index];
    anchor.current = first && row ? { id: row.id, index: first.index, start: first.start } : undefined;
  });
}

export interface LogSettings {
  wrap: boolean;
  times: boolean;
}

function useSettings(): [LogSettings, (next: LogSettings) => void] {
  const [settings, set] = useState<LogSettings>(() => {
    const narrow = window.matchMedia("(max-width: 640px)").matches;
    try {
      return { wrap: narrow, times: true, ...(JSON.parse(localStorage.getItem(SETTINGS) ?? "{}") as Partial<LogSettings>) };
    } catch {
      return { wrap: narrow, times: true };
    }
  });
  const change = (next: LogSettings): void => {
    set(next);
    try {
      localStorage.setItem(SETTINGS, JSON.stringify(next));
    } catch {
      // storage may be forbidden; then the choice holds for this view
    }
  };
  return [settings, change];
}
