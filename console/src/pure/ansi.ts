/** A small ANSI parser: colours and weights become spans, every other escape is dropped. Its output is text, never HTML. */

export interface Style {
  /** 0–15 of the palette, or a CSS colour. */
  color?: number | string;
  background?: number | string;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
  strike?: boolean;
  inverse?: boolean;
}

export interface Span {
  text: string;
  style: Style;
}

// CSI sequences (parameters captured), OSC strings up to BEL or ST (or the end), other escapes, then stray controls.
const ESCAPE =
  // eslint-disable-next-line no-control-regex
  /(?:\u001b\[|\u009b)([0-?]*)[ -/]*([@-~])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\|$)|\u001b[PX^_][^\u001b]*(?:\u001b\\|$)|\u001b[ -/]*[0-~]?|[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009a\u009c-\u009f]/g;

const MAY_HAVE_CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

/** The spans of one line. A style that is left open ends with the line. */
export function parseAnsi(line: string): Span[] {
  if (!MAY_HAVE_CONTROL.test(line)) return line === "" ? [] : [{ text: line, style: {} }];
  const text = afterCarriageReturn(line);
  const spans: Span[] = [];
  let style: Style = {};
  let from = 0;
  for (const match of text.matchAll(ESCAPE)) {
    append(spans, text.slice(from, match.index), style);
    from = match.index + match[0].length;
    if (match[2] === "m") style = select(style, match[1] ?? "");
  }
  append(spans, text.slice(from), style);
  return spans;
}

/** The text alone. */
export function stripAnsi(line: string): string {
  return MAY_HAVE_CONTROL.test(line) ? afterCarriageReturn(line).replace(ESCAPE, "") : line;
}

/** A progress bar rewrites its line: what was written last is what a terminal would show. */
function afterCarriageReturn(line: string): string {
  const text = line.replace(/\r+$/, "");
  const last = text.lastIndexOf("\r");
  return last === -1 ? text : text.slice(last + 1);
}

function append(spans: Span[], text: string, style: Style): void {
  if (text === "") return;
  const previous = spans.at(-1);
  if (previous && previous.style === style) previous.text += text;
  else spans.push({ text, style });
}

function select(before: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map((part) => (part === "" ? 0 : Number(part)));
  let style: Style = { ...before };
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] ?? 0;
    if (code === 0) style = {};
    else if (code === 38 || code === 48) {
      const [color, used] = extended(codes.slice(at + 1));
      if (code === 38) style.color = color;
      else style.background = color;
      at += used;
    } else simple(style, code);
  }
  return style;
}

function simple(style: Style, code: number): void {
  if (code === 1) style.bold = true;
  else if (code === 2) style.dim = true;
  else if (code === 3) style.italic = true;
  else if (code === 4) style.underline = true;
  else if (code === 7) style.inverse = true;
  else if (code === 9) style.strike = true;
  else if (code === 22) style.bold = style.dim = undefined;
  else if (code === 23) style.italic = undefined;
  else if (code === 24) style.underline = undefined;
  else if (code === 27) style.inverse = undefined;
  else if (code === 29) style.strike = undefined;
  else if (code >= 30 && code <= 37) style.color = code - 30;
  else if (code === 39) style.color = undefined;
  else if (code >= 40 && code <= 47) style.background = code - 40;
  else if (code === 49) style.background = undefined;
  else if (code >= 90 && code <= 97) style.color = code - 82;
  else if (code >= 100 && code <= 107) style.background = code - 92;
}

/** The colour after 38 or 48, and how many codes it took. */
function extended(codes: number[]): [number | string | undefined, number] {
  if (codes[0] === 5) return [indexed(codes[1]), 2];
  if (codes[0] === 2) return [rgb(codes[1], codes[2], codes[3]), 4];
  return [undefined, 0];
}

function indexed(index = 0): number | string | undefined {
  if (!(index >= 0 && index <= 255)) return undefined;
  if (index < 16) return index;
  if (index >= 232) {
    const grey = (index - 232) * 10 + 8;
    return rgb(grey, grey, grey);
  }
  const cube = index - 16;
  const level = (value: number): number => (value === 0 ? 0 : value * 40 + 55);
  return rgb(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

function rgb(red = 0, green = 0, blue = 0): string | undefined {
  const ok = [red, green, blue].every((value) => Number.isInteger(value) && value >= 0 && value <= 255);
  return ok ? `rgb(${red} ${green} ${blue})` : undefined;
}
