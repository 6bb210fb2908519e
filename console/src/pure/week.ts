/** The hours of a week in which an environment runs. */

export const DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"] as const;
export const DAY_MINUTES = 1440;

export interface Span {
  day: number;
  /** Minutes of the day. */
  from: number;
  to: number;
  /** The day on which these hours begin: hours over midnight belong to the day before. */
  of: number;
}

/** `1970-01-01T08:30:00Z` or `08:30` → minutes of the day. */
export function minutesOf(time: string): number {
  const found = /(\d{2}):(\d{2})/.exec(time.includes("T") ? time.slice(11) : time);
  return found ? Number(found[1]) * 60 + Number(found[2]) : Number.NaN;
}

export const clockOf = (time: string): string => {
  const minutes = minutesOf(time);
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
};

/** As the API writes a time of day. */
export const timeOfDay = (clock: string): string => `1970-01-01T${clock}:00Z`;

/** What the grid shows; hours over midnight go on in the next day, Sunday's on Monday. */
export function spans(weekdays: readonly string[], start: string, stop: string): Span[] {
  const [from, to] = [minutesOf(start), minutesOf(stop)];
  if (Number.isNaN(from) || Number.isNaN(to) || from === to) return [];
  return DAYS.flatMap((name, day) => {
    if (!weekdays.includes(name)) return [];
    if (from < to) return [{ day, from, to, of: day }];
    const rest = to > 0 ? [{ day: (day + 1) % 7, from: 0, to, of: day }] : [];
    return [{ day, from, to: DAY_MINUTES, of: day }, ...rest];
  });
}

export const weekHours = (found: Span[]): number => Math.round(found.reduce((sum, { from, to }) => sum + to - from, 0) / 6) / 10;
