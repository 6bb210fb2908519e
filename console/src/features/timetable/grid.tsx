import { sentence } from "@/pure/states";
import { DAY_MINUTES, DAYS, type Span } from "@/pure/week";

const HOURS = [0, 6, 12, 18, 24];

const clock = (minutes: number): string => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;

/** A row per day, midnight to midnight; what is filled runs. The same stands in words for who can't see it. */
export function WeekGrid({ spans, zone }: { spans: Span[]; zone: string }) {
  return (
    <figure className="text-xs">
      <figcaption className="sr-only">Hours in {zone}</figcaption>
      <ul className="flex flex-col gap-1">
        {DAYS.map((day, index) => {
          const own = spans.filter((span) => span.day === index).sort((one, other) => one.from - other.from);
          const words = own.map(({ from, to }) => `${clock(from)} to ${clock(to)}`).join(", ");
          return (
            <li key={day} className="grid grid-cols-[2.5rem_minmax(0,1fr)] items-center gap-2">
              <span className="text-muted">
                <span aria-hidden>{sentence(day).slice(0, 3)}</span>
                <span className="sr-only">
                  {sentence(day)}: {words || "stopped"}
                </span>
              </span>
              <span aria-hidden title={words || "stopped"} className="relative h-6 overflow-hidden rounded border border-line bg-sunken">
                {own.map(({ from, to }) => (
                  <span key={from} className="absolute inset-y-0 bg-accent/80" style={{ left: `${(from / DAY_MINUTES) * 100}%`, width: `${((to - from) / DAY_MINUTES) * 100}%` }} />
                ))}
                {HOURS.slice(1, -1).map((hour) => (
                  <span key={hour} className="absolute inset-y-0 w-px bg-line-strong/60" style={{ left: `${(hour / 24) * 100}%` }} />
                ))}
              </span>
            </li>
          );
        })}
      </ul>
      <div aria-hidden className="num mt-1 ml-12 flex justify-between text-muted">
        {HOURS.map((hour) => (
          <span key={hour}>{String(hour).padStart(2, "0")}</span>
        ))}
      </div>
    </figure>
  );
}
