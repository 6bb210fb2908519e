/** When an environment starts and stops by itself: the week as a grid, what comes next, what came of it. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";

import { firingsQuery, nextRunsQuery, saveTimetable, schedulesQuery, setPaused, type Timetable, timetableQuery } from "@/api/schedules";
import { useRights } from "@/features/rights";
import { WeekGrid } from "@/features/timetable/grid";
import { dateTime } from "@/pure/format";
import { sentence } from "@/pure/states";
import { clockOf, DAYS, spans, timeOfDay, weekHours } from "@/pure/week";
import { Button } from "@/ui/button";
import { Check, Field, Input } from "@/ui/form";
import { Loading, ProblemNote } from "@/ui/notes";
import { Badge } from "@/ui/status";
import { Ago } from "@/ui/time";
import { say, sayProblem } from "@/ui/toasts";

const useEnvironment = (): string => useParams({ from: "/signed-in/environment/$environmentId/timetable" }).environmentId;

const zones: string[] = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")];

export function TimetablePage() {
  const environmentId = useEnvironment();
  const timetable = useQuery(timetableQuery(environmentId));
  if (timetable.error) return <ProblemNote error={timetable.error} retry={() => void timetable.refetch()} />;
  if (!timetable.data) return <Loading lines={6} className="panel p-5" />;
  return (
    <div className="grid grid-cols-[minmax(0,1fr)_20rem] items-start gap-4 max-lg:grid-cols-1">
      <Editor key={JSON.stringify(timetable.data)} timetable={timetable.data} />
      <div className="flex flex-col gap-4">
        <NextRuns />
        <Firings />
      </div>
    </div>
  );
}

function Editor({ timetable }: { timetable: Timetable }) {
  const environmentId = useEnvironment();
  const mayChange = useRights().may("manage");
  const client = useQueryClient();
  const [isOn, setOn] = useState(timetable.auto_stop ?? false);
  const [days, setDays] = useState<readonly string[]>(timetable.weekdays);
  const [start, setStart] = useState(clockOf(timetable.start_time));
  const [stop, setStop] = useState(clockOf(timetable.stop_time));
  const [zone, setZone] = useState(timetable.timezone);
  const shown = isOn ? spans(days, start, stop) : [];
  const save = useMutation({
    mutationFn: () => {
      const { auto_preview, on_demand_preview, id } = timetable;
      return saveTimetable(environmentId, { id, auto_preview: auto_preview ?? false, on_demand_preview: on_demand_preview ?? false, auto_stop: isOn, timezone: zone.trim(), start_time: timeOfDay(start), stop_time: timeOfDay(stop), weekdays: [...days] });
    },
    onSuccess: async () => {
      say("Saved");
      await client.invalidateQueries({ queryKey: ["environment", environmentId] });
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    save.mutate();
  };
  const toggle = (day: string): void => setDays(days.includes(day) ? days.filter((each) => each !== day) : DAYS.filter((each) => each === day || days.includes(each)));
  return (
    <form onSubmit={submit} className="panel flex min-w-0 flex-col">
      <header className="border-b border-line px-4 py-2.5">
        <h2 className="text-sm font-semibold">Hours</h2>
        <p className="text-xs text-muted">Outside of its hours everything in the environment is stopped; nothing is deleted.</p>
      </header>
      <div className="flex flex-col gap-4 p-4">
        <fieldset disabled={!mayChange} className="flex flex-col gap-4">
          <legend className="sr-only">Timetable</legend>
          <Check label="Start and stop by a timetable" checked={isOn} onChange={(event) => setOn(event.target.checked)} />
          {isOn && (
            <>
              <div role="group" aria-label="Days" className="flex flex-wrap gap-1">
                {DAYS.map((day) => (
                  <Button key={day} small aria-pressed={days.includes(day)} aria-label={sentence(day)} look={days.includes(day) ? "primary" : "secondary"} onClick={() => toggle(day)}>
                    {sentence(day).slice(0, 3)}
                  </Button>
                ))}
              </div>
              <div className="grid grid-cols-[8rem_8rem_minmax(0,1fr)] gap-3 max-sm:grid-cols-2">
                <Field label="Starts at">{(attributes) => <Input {...attributes} type="time" required value={start} onChange={(event) => setStart(event.target.value)} />}</Field>
                <Field label="Stops at">{(attributes) => <Input {...attributes} type="time" required value={stop} onChange={(event) => setStop(event.target.value)} />}</Field>
                <div className="max-sm:col-span-2">
                  <Field label="Time zone">
                    {(attributes) => (
                      <>
                        <Input {...attributes} list="zones" required value={zone} onChange={(event) => setZone(event.target.value)} />
                        <datalist id="zones">
                          {zones.map((each) => (
                            <option key={each} value={each} />
                          ))}
                        </datalist>
                      </>
                    )}
                  </Field>
                </div>
              </div>
            </>
          )}
        </fieldset>
        {isOn && <WeekGrid spans={shown} zone={zone} />}
        <p className="text-sm text-muted">{isOn ? `It runs ${weekHours(shown)} of 168 hours a week.` : "It runs always: nothing stops it but people."}</p>
        {save.error && <ProblemNote error={save.error} />}
        {mayChange && (
          <Button type="submit" look="primary" className="self-start" busy={save.isPending}>
            Save
          </Button>
        )}
      </div>
    </form>
  );
}

const doing = (kind: string): string => (kind === "environment-start" ? "Starts" : kind === "environment-stop" ? "Stops" : sentence(kind.replaceAll("-", " ")));

function NextRuns() {
  const environmentId = useEnvironment();
  const runs = useQuery(nextRunsQuery(environmentId));
  const schedules = useQuery(schedulesQuery(environmentId)).data;
  const mayDeploy = useRights().may("deploy");
  const client = useQueryClient();
  const pause = useMutation({
    mutationFn: async (paused: boolean) => {
      for (const { id } of schedules?.results ?? []) await setPaused(environmentId, id, paused);
    },
    onError: sayProblem,
    onSettled: () => Promise.all(["schedules", "next-runs"].map((part) => client.invalidateQueries({ queryKey: ["environment", environmentId, part] }))),
  });
  const paused = schedules?.results.find(({ is_paused }) => is_paused);
  return (
    <section className="panel" aria-label="What comes next">
      <header className="flex items-center gap-2 border-b border-line px-4 py-2">
        <h2 className="mr-auto text-sm font-semibold">What comes next</h2>
        {mayDeploy && (schedules?.results.length ?? 0) > 0 && (
          <Button small look="ghost" icon={paused ? "play" : "pause"} busy={pause.isPending} onClick={() => pause.mutate(!paused)}>
            {paused ? "Resume" : "Pause"}
          </Button>
        )}
      </header>
      {runs.error && <ProblemNote error={runs.error} className="m-3" />}
      {schedules?.problem && <p className="px-4 py-2 text-sm text-bad">{schedules.problem}</p>}
      {paused && <p className="px-4 py-2 text-sm text-warn">Paused by {paused.paused_by}: its times pass until somebody resumes it.</p>}
      {runs.data?.length === 0 && !paused && <p className="px-4 py-3 text-sm text-muted">Nothing is due.</p>}
      <ul>
        {runs.data?.map((run) => (
          <li key={run.schedule_id + run.at} className="flex items-baseline gap-2 border-b border-line px-4 py-1.5 text-sm last:border-0">
            <span className="w-12 font-medium">{doing(run.kind)}</span>
            <time dateTime={run.at} title={`${dateTime(run.at)} where you are`} className="num ml-auto">
              {localWords(run.local_time)}
            </time>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** `2026-01-05T08:00:00+01:00` → `Mon 5 Jan, 08:00`: in the timetable's own zone, so the offset is not applied. */
function localWords(local: string): string {
  const day = new Date(`${local.slice(0, 10)}T00:00:00Z`).toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
  return `${day}, ${local.slice(11, 16)}`;
}

function Firings() {
  const firings = useQuery(firingsQuery(useEnvironment())).data ?? [];
  if (firings.length === 0) return null;
  return (
    <section className="panel" aria-label="What came of it">
      <h2 className="border-b border-line px-4 py-2 text-sm font-semibold">What came of it</h2>
      <ul>
        {firings.map((each) => (
          <li key={each.schedule_id + each.nominal_at} className="flex flex-wrap items-baseline gap-x-2 border-b border-line px-4 py-1.5 text-sm last:border-0">
            <span className="font-medium">{doing(each.kind)}</span>
            <Badge tone={each.outcome === "fired" ? "good" : "warn"}>{sentence(each.outcome)}</Badge>
            <span className="ml-auto text-xs text-muted">
              <Ago at={each.nominal_at} />
            </span>
            {each.why && <span className="w-full text-xs text-muted">{each.why}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}
