/** One line's text: ANSI styles as classes, filter words marked. Always text, never HTML. */

import { type CSSProperties, memo } from "react";

import { parseAnsi, type Span, type Style } from "@/pure/ansi";
import { marks } from "@/pure/logs/rows";
import { cx } from "@/ui/cx";

const LONGEST = 20_000;

export const LineText = memo(function LineText({ text, wanted }: { text: string; wanted: string[] }) {
  const shown = text.length > LONGEST ? text.slice(0, LONGEST) : text;
  const spans = parseAnsi(shown);
  const plain = spans.map((span) => span.text).join("");
  const marked = wanted.length > 0 ? marks(plain, wanted) : [];
  const cut = text.length > LONGEST && <span className="text-muted"> … {text.length - LONGEST} more characters</span>;
  if (marked.length === 0) {
    return (
      <>
        {spans.map((span, index) => (
          <Part key={index} span={span} />
        ))}
        {cut}
      </>
    );
  }
  return (
    <>
      {split(spans, marked).map(({ span, isMarked }, index) =>
        isMarked ? (
          <mark key={index} className="rounded-xs bg-mark text-text">
            {span.text}
          </mark>
        ) : (
          <Part key={index} span={span} />
        ),
      )}
      {cut}
    </>
  );
});

function Part({ span: { text, style } }: { span: Span }) {
  const { className, css } = looks(style);
  if (!className && !css) return <>{text}</>;
  return (
    <span className={className} {...(css && { style: css })}>
      {text}
    </span>
  );
}

function looks(style: Style): { className: string; css: CSSProperties | undefined } {
  const [color, background] = style.inverse ? [style.background ?? 15, style.color ?? 7] : [style.color, style.background];
  const css: CSSProperties = {};
  if (typeof color === "string") css.color = typeof background === "string" ? color : readable(color);
  if (typeof background === "string") css.background = background;
  const className = cx(
    typeof color === "number" && `ansi-${color}`,
    typeof background === "number" && `ansi-bg-${background % 8}`,
    style.bold && "font-semibold",
    style.dim && "opacity-70",
    style.italic && "italic",
    style.underline && "underline",
    style.strike && "line-through",
  );
  return { className, css: Object.keys(css).length > 0 ? css : undefined };
}

/** The hue that a program chose, dark or light enough for the page it stands on. */
const readable = (color: string): string =>
  `light-dark(oklch(from ${color} min(l, 0.55) c h), oklch(from ${color} max(l, 0.68) c h))`;

/** Cut the spans where marks begin and end. */
function split(spans: Span[], marked: [number, number][]): { span: Span; isMarked: boolean }[] {
  const parts: { span: Span; isMarked: boolean }[] = [];
  let start = 0;
  for (const span of spans) {
    const end = start + span.text.length;
    const cuts = new Set([start, end]);
    for (const [from, to] of marked) {
      if (from > start && from < end) cuts.add(from);
      if (to > start && to < end) cuts.add(to);
    }
    const places = [...cuts].sort((one, other) => one - other);
    for (let index = 0; index + 1 < places.length; index++) {
      const from = places[index] as number;
      const to = places[index + 1] as number;
      const isMarked = marked.some((pair) => from >= pair[0] && to <= pair[1]);
      parts.push({ span: { text: span.text.slice(from - start, to - start), style: span.style }, isMarked });
    }
    start = end;
  }
  return parts;
}
