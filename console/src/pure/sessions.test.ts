import { describe, expect, it } from "vitest";

import { shellSessions } from "@/pure/sessions";

const event = (timestamp: string, said: object) => ({ timestamp, triggered_by: "ada", change: JSON.stringify(said) });

describe("terminals in the audit log", () => {
  it("are put together from what was said when they opened and ended", () => {
    const found = shellSessions([
      event("3", { session_id: "b", verb: "opened", command: "" }),
      event("2", { session_id: "a", verb: "ended", reason: "exit 7", command: "sh" }),
      event("1", { session_id: "a", verb: "opened", command: "sh" }),
    ]);
    expect(found.map(({ id, opened, ended, reason, command }) => [id, opened, ended, reason, command])).toEqual([
      ["b", "3", undefined, "", ""],
      ["a", "1", "2", "exit 7", "sh"],
    ]);
  });

  it("leave out what names no session", () => {
    expect(shellSessions([event("1", {})])).toEqual([]);
  });
});
