import "uplot/dist/uPlot.min.css";

import { useEffect, useRef } from "react";
import uPlot from "uplot";

import { useIsDark } from "@/features/frame/theme";

interface Props {
  title: string;
  times: number[];
  series: { name: string; values: (number | null)[] }[];
  limit?: number | undefined;
  from: number;
  to: number;
  format: (value: number) => string;
  /** Moments to see changes by, such as deployments. */
  markers: Marker[];
  /** Steps of the scale are powers of two. */
  binary?: boolean;
  /** The scale reaches at least this far. */
  least?: number;
}

export interface Marker {
  /** Unix seconds. */
  at: number;
  label: string;
  isBad: boolean;
}

const LIGHT = ["#1b5e8c", "#8a5300", "#17703d", "#8a3a9c", "#b3261e"];
const DARK = ["#5cb3e6", "#e3ac4b", "#53c583", "#d59be3", "#f28b82"];
const SYNC = "slipway";

/** One chart over time. Charts of a page share their cursor. */
export function Chart({ title, times, series, limit, from, to, format, markers, binary = false, least = 1 }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(undefined);
  const isDark = useIsDark();
  const names = series.map(({ name }) => name).join("\n");
  const data: uPlot.AlignedData = [times, ...series.map(({ values }) => values)];
  const latest = useRef(data);
  latest.current = data;
  const marked = useRef(markers);
  marked.current = markers;

  useEffect(() => {
    if (!host.current) return;
    const made = new uPlot(options(host.current, names.split("\n"), isDark, limit, format, binary, least, () => marked.current), latest.current, host.current);
    chart.current = made;
    const observer = new ResizeObserver(([entry]) => entry && made.setSize({ width: entry.contentRect.width, height: HEIGHT }));
    observer.observe(host.current);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [names, isDark, limit, format, binary, least]);

  useEffect(() => {
    chart.current?.setData(latest.current, false);
    chart.current?.setScale("x", { min: from, max: to });
  }, [times, series, from, to, names, isDark, limit, format, markers]);

  return (
    <figure className="panel px-3 pb-2 pt-3">
      <figcaption className="mb-1 px-1 text-sm font-semibold">{title}</figcaption>
      <div ref={host} role="img" aria-label={`${title} over time`} className="num w-full text-xs" />
    </figure>
  );
}

const HEIGHT = 200;
const BINARY = Array.from({ length: 42 }, (_, power) => 2 ** power);
const DAY_SECONDS = 86_400;
const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880].map((minutes) => minutes * 60);

function clock(at: number, stepSeconds: number): string {
  const date = new Date(at * 1000);
  if (stepSeconds >= DAY_SECONDS) return date.toLocaleDateString(undefined, { month: "short", day: "numeric" });
  return date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

function options(host: HTMLElement, names: string[], isDark: boolean, limit: number | undefined, format: (value: number) => string, binary: boolean, least: number, markers: () => Marker[]): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const muted = isDark ? "#9ca8b3" : "#535e69";
  const grid = isDark ? "#20272d" : "#e8ebee";
  const font = `11px ${style.fontFamily}`;
  const axis = { stroke: muted, font, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
  const palette = isDark ? DARK : LIGHT;
  return {
    width: host.clientWidth,
    height: HEIGHT,
    cursor: { sync: { key: SYNC }, drag: { x: true, y: false } },
    legend: { live: true },
    scales: {
      x: { time: true },
      y: { range: (_, __, max) => [0, Math.max((max ?? 0) * 1.15, limit && max > limit * 0.6 ? limit * 1.1 : 0, least)] },
    },
    axes: [
      { ...axis, incrs: MINUTES, values: (_, splits, __, ___, step) => splits.map((at) => clock(at, step)) },
      { ...axis, size: 74, ...(binary && { incrs: BINARY }), values: (_, splits) => splits.map((split) => format(split)) },
    ],
    series: [
      { value: (_, at) => (at == null ? "–" : new Date(at * 1000).toLocaleTimeString()) },
      ...names.map((name, index) => {
        const stroke = palette[index % palette.length] as string;
        return { label: name, stroke, width: 1.5, fill: `${stroke}1f`, points: { show: false }, spanGaps: false, value: (_: uPlot, value: number | null) => (value == null ? "–" : format(value)) };
      }),
    ],
    hooks: { draw: [(self) => drawMarkers(self, markers(), muted, isDark), (self) => limit && drawLimit(self, limit, isDark)] },
  };
}

function drawMarkers(self: uPlot, markers: Marker[], colour: string, isDark: boolean): void {
  const { ctx, bbox } = self;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.font = `${10 * scale}px sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  let free = -Infinity;
  for (const { at, label, isBad } of markers) {
    const x = Math.round(self.valToPos(at, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ctx.fillStyle = isBad ? (isDark ? "#f28b82" : "#b3261e") : colour;
    ctx.setLineDash([2 * scale, 3 * scale]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const width = ctx.measureText(label).width;
    const left = Math.min(x + 3 * scale, bbox.left + bbox.width - width);
    if (left < free) continue;
    ctx.fillText(label, left, bbox.top + 10 * scale);
    free = left + width + 4 * scale;
  }
  ctx.restore();
}

function drawLimit(self: uPlot, limit: number, isDark: boolean): void {
  const y = self.valToPos(limit, "y", true);
  if (y < self.bbox.top) return;
  const { ctx, bbox } = self;
  ctx.save();
  ctx.strokeStyle = isDark ? "#f28b82" : "#b3261e";
  ctx.setLineDash([4, 4]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}
