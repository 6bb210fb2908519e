/** What a reader can do with a log: filter, choose levels, wrap, copy, keep as a file, fill the screen. */

import { useEffect, useRef } from "react";

import type { LogSettings } from "@/features/logs/view";
import { count } from "@/pure/format";
import type { Level } from "@/pure/logs/levels";
import { cx } from "@/ui/cx";
import { IconButton } from "@/ui/button";
import { Icon } from "@/ui/icons";
import { Menu, MenuItem, MenuLabel } from "@/ui/menu";
import { say } from "@/ui/toasts";

export interface Filters {
  text: string;
  levels: ReadonlySet<Level>;
  stream: string;
}

interface ToolbarProps {
  filters: Filters;
  onFilters: (next: Filters) => void;
  settings: LogSettings;
  onSettings: (next: LogSettings) => void;
  wide: boolean;
  onWide: (next: boolean) => void;
  matches: number;
  text: () => string;
  name: string;
}

const LEVELS: [Level, string][] = [
  ["error", "Error"],
  ["warn", "Warning"],
  ["info", "Info"],
  ["debug", "Debug"],
];

export function LogToolbar({ filters, onFilters, settings, onSettings, wide, onWide, matches, text, name }: ToolbarProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && wide) onWide(false);
      const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea, select, .xterm");
      if (event.key !== "/" || typing || event.metaKey || event.ctrlKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [wide, onWide]);

  const toggle = (level: Level): void => {
    const levels = new Set(filters.levels);
    if (!levels.delete(level)) levels.add(level);
    onFilters({ ...filters, levels });
  };
  const chosen = filters.levels.size + (filters.stream ? 1 : 0);

  return (
    <div className="flex items-center gap-1 border-b border-line bg-surface py-1 pl-2 pr-1" role="toolbar" aria-label="Log">
      <label className="flex h-8 min-w-0 flex-1 items-center gap-2 rounded-md px-1.5 focus-within:bg-sunken">
        <Icon name="search" className="text-muted" />
        <input
          ref={input}
          value={filters.text}
          onChange={(event) => onFilters({ ...filters, text: event.target.value })}
          placeholder='Filter:  word  -without  "two words"'
          aria-label="Filter lines"
          spellCheck={false}
          className="min-w-0 flex-1 bg-transparent text-sm outline-none placeholder:text-muted max-sm:text-[16px]"
        />
        <kbd className="rounded border border-line px-1 text-2xs text-muted max-sm:hidden" aria-hidden>
          /
        </kbd>
      </label>
      <span className="num px-1 text-xs whitespace-nowrap text-muted max-sm:hidden">{count(matches, "line")}</span>
      <Menu trigger={<IconButton icon="list" label="Levels and streams" pressed={chosen > 0} className={cx(chosen === 0 && "text-muted")} />}>
        <MenuLabel>Levels</MenuLabel>
        {LEVELS.map(([level, label]) => (
          <MenuItem key={level} checked={filters.levels.has(level)} onSelect={() => toggle(level)}>
            {label}
          </MenuItem>
        ))}
        <MenuLabel>Stream</MenuLabel>
        {["", "stdout", "stderr"].map((stream) => (
          <MenuItem key={stream} checked={filters.stream === stream} onSelect={() => onFilters({ ...filters, stream })}>
            {stream || "Both"}
          </MenuItem>
        ))}
      </Menu>
      <IconButton icon="wrap" label="Wrap long lines" pressed={settings.wrap} onClick={() => onSettings({ ...settings, wrap: !settings.wrap })} />
      <IconButton
        icon="clock"
        label="Show times"
        pressed={settings.times}
        className="max-sm:hidden"
        onClick={() => onSettings({ ...settings, times: !settings.times })}
      />
      <CopyLines text={text} />
      <IconButton icon="download" label="Keep as a file" className="max-sm:hidden" onClick={() => download(name, text())} />
      <IconButton icon="expand" label={wide ? "Back to the page (Esc)" : "Fill the window"} pressed={wide} onClick={() => onWide(!wide)} />
    </div>
  );
}

function CopyLines({ text }: { text: () => string }) {
  return <IconButton icon="copy" label="Copy the lines shown" onClick={() => void navigator.clipboard.writeText(text()).then(() => say("Lines copied"))} />;
}

function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = `${name.replace(/[^\w.-]+/g, "-")}.log`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

