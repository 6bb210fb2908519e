/** Numbers, times and ids as people read them. Times are passed in, so that everything here is pure. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `4s`, `1m 05s`, `2h 03m`. Below a second `<1s`. */
export function duration(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) return "–";
  if (milliseconds < SECOND) return "<1s";
  const seconds = Math.floor(milliseconds / SECOND);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${pad(seconds % 60)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours}h ${pad(minutes % 60)}m`;
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

/** How long ago, in the fewest words: `just now`, `4 min ago`, `3 h ago`, `2 days ago`, then the date. */
export function ago(at: string | number | Date, now: number): string {
  const then = new Date(at).getTime();
  if (Number.isNaN(then)) return "–";
  const past = now - then;
  if (past < 10 * SECOND) return past < -MINUTE ? dateTime(at) : "just now";
  if (past < MINUTE) return `${Math.floor(past / SECOND)} s ago`;
  if (past < HOUR) return `${Math.floor(past / MINUTE)} min ago`;
  if (past < DAY) return `${Math.floor(past / HOUR)} h ago`;
  const days = Math.floor(past / DAY);
  if (days < 30) return days === 1 ? "yesterday" : `${days} days ago`;
  return new Date(at).toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" });
}

/** The full local date and time, to the second. */
export function dateTime(at: string | number | Date): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "–";
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** `14:03:09.250`, of Unix nanoseconds (or milliseconds by `clockTime`). */
export function clockTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return `${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** `512 B`, `1.5 MiB`. */
export function bytes(count: number): string {
  if (!Number.isFinite(count)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) {
    count /= 1024;
    unit++;
  }
  return `${unit === 0 || count >= 100 ? Math.round(count) : count.toFixed(1)} ${units[unit]}`;
}

/** CPU: `12m` of a thousandth of a core, `1.25 cores` from one on. */
export function cpu(milli: number): string {
  if (!Number.isFinite(milli)) return "–";
  return milli < 1000 ? `${milli > 0 && milli < 10 ? milli.toFixed(1) : Math.round(milli)}m` : `${(milli / 1000).toFixed(2)} cores`;
}

export function count(amount: number, one: string, many = `${one}s`): string {
  return `${amount.toLocaleString("en")} ${amount === 1 ? one : many}`;
}

/** The part of a commit id that people say. */
export function shortCommit(commit: string | undefined | null): string {
  return (commit ?? "").slice(0, 7);
}

/** The first line of a commit message. */
export function subject(message: string | undefined | null): string {
  return (message ?? "").split("\n", 1)[0]?.trim() ?? "";
}

/** ISO 8601 durations of the public API (`PT1M5.2S`) in milliseconds. */
export function isoDuration(text: string | undefined | null): number {
  const found = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?$/.exec(text ?? "");
  if (!found) return Number.NaN;
  const [, days = "0", hours = "0", minutes = "0", seconds = "0"] = found;
  return Number(days) * DAY + Number(hours) * HOUR + Number(minutes) * MINUTE + Number(seconds) * SECOND;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
