/** Light, dark, or what the system says. `public/theme.js` reads the same key before the first paint. */

import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const KEY = "slipway.theme";
const watchers = new Set<() => void>();

const read = (): Theme => (document.documentElement.dataset.theme as Theme | undefined) ?? "system";

export function setTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // storage may be forbidden; then the choice holds until the page is left
  }
  for (const watcher of watchers) watcher();
}

export const useTheme = (): Theme =>
  useSyncExternalStore((watcher) => {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }, read);

const system = window.matchMedia("(prefers-color-scheme: dark)");

/** Whether the page is dark now: for canvases, which don't read CSS by themselves. */
export function useIsDark(): boolean {
  const theme = useTheme();
  const systemIsDark = useSyncExternalStore(
    (watcher) => {
      system.addEventListener("change", watcher);
      return () => system.removeEventListener("change", watcher);
    },
    () => system.matches,
  );
  return theme === "dark" || (theme === "system" && systemIsDark);
}
