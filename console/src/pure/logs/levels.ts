/** The level of a line: what its source said, or what the line plainly says of itself. */

export type Level = "error" | "warn" | "info" | "debug" | "";

const NAMES: Record<string, Level> = {
  fatal: "error", critical: "error", crit: "error", emerg: "error", alert: "error", panic: "error", error: "error", err: "error",
  warn: "warn", warning: "warn",
  info: "info", notice: "info", information: "info",
  debug: "debug", trace: "debug", verbose: "debug",
};

// A level stands in capitals as a word, or as level=… or "level": "…". Ordinary prose with "error" in it is not one.
const CAPITALS = /(?:^|[\s[(|])(FATAL|CRITICAL|PANIC|ERROR|WARN(?:ING)?|INFO|NOTICE|DEBUG|TRACE)(?=$|[\s\]):|])/;
const FIELD = /(?:^|[\s{,])"?(?:level|lvl|severity|levelname)"?\s*[=:]\s*"?([A-Za-z]+)/;
const LOOKED_AT = 400;

export function levelOf(stated: string | undefined, plain: string): Level {
  const known = NAMES[(stated ?? "").toLowerCase()];
  if (known !== undefined) return known;
  const start = plain.length > LOOKED_AT ? plain.slice(0, LOOKED_AT) : plain;
  const found = CAPITALS.exec(start)?.[1] ?? FIELD.exec(start)?.[1];
  return NAMES[(found ?? "").toLowerCase()] ?? "";
}
