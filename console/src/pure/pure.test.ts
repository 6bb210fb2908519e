import { beforeAll, expect, test, vi } from "vitest";

import { command, quoted } from "./cli";
import { ago, bytes, count, cpu, duration, isoDuration, shortCommit, subject } from "./format";
import { columns } from "./metrics";
import { endings, gitUrlProblem, keyProblem, parseDotenv, providerOf, repositoryName, slug } from "./names";
import { aggregate, deploymentWord, isMoving, runningWord, sentence, urgency } from "./states";
import { endedBy, frame, resizeFrame } from "./terminal";

beforeAll(() => vi.stubGlobal("location", { origin: "http://localhost:8080" }));

test("durations in the fewest words", () => {
  expect([200, 4_000, 65_000, 7_380_000, 200_000_000].map(duration)).toEqual(["<1s", "4s", "1m 05s", "2h 03m", "2d 7h"]);
  expect(duration(Number.NaN)).toBe("–");
});

test("how long ago, on a clock that may be a little behind", () => {
  const now = Date.parse("2026-03-01T12:00:00Z");
  const before = (seconds: number): string => ago(new Date(now - seconds * 1000), now);
  expect([1, -5, 42, 240, 7_200, 90_000, 300_000].map(before)).toEqual(["just now", "just now", "42 s ago", "4 min ago", "2 h ago", "yesterday", "3 days ago"]);
  expect(ago("nonsense", now)).toBe("–");
});

test("amounts with units", () => {
  expect([0, 1023, 1536, 512 * 2 ** 20, 3.5 * 2 ** 30].map(bytes)).toEqual(["0 B", "1023 B", "1.5 KiB", "512 MiB", "3.5 GiB"]);
  expect([0, 2.25, 340, 1250].map(cpu)).toEqual(["0m", "2.3m", "340m", "1.25 cores"]);
  expect(count(1, "line")).toBe("1 line");
  expect(count(12_000, "line")).toBe("12,000 lines");
});

test("ISO durations of the API", () => {
  expect(isoDuration("PT1M5.2S")).toBe(65_200);
  expect(isoDuration("P1DT2H")).toBe(93_600_000);
  expect(isoDuration("soon")).toBeNaN();
});

test("commits and messages as people say them", () => {
  expect(shortCommit("0123456789abcdef")).toBe("0123456");
  expect(shortCommit(null)).toBe("");
  expect(subject("First line\n\nMore")).toBe("First line");
});

test("every state of the reference has words of its own", () => {
  const reference =
    "BUILDING BUILD_ERROR CANCELED CANCELING DELETED DELETE_ERROR DELETE_QUEUED DELETING DEPLOYED DEPLOYING DEPLOYMENT_ERROR DEPLOYMENT_QUEUED EXECUTING QUEUED READY RECAP RESTARTED RESTARTING RESTART_ERROR RESTART_QUEUED STOPPED STOPPING STOP_ERROR STOP_QUEUED UNAVAILABLE WAITING_DELETING WAITING_RESTARTING WAITING_RUNNING WAITING_STOPPING";
  for (const state of reference.split(" ")) {
    const word = deploymentWord(state);
    if (/_ERROR$/.test(state)) expect([state, word.tone]).toEqual([state, "bad"]);
    if (/ING$|QUEUED$|^WAITING/.test(state)) expect([state, word.moving]).toEqual([state, true]);
    if (/^(DEPLOYED|RESTARTED)$/.test(state)) expect(word.tone).toBe("good");
  }
  expect(deploymentWord("SOMETHING_NEW").label).toBe("Something new");
});

test("not told is unknown, not stopped", () => {
  expect(runningWord(undefined).label).toBe("Unknown");
  expect(deploymentWord(null).label).toBe("Never deployed");
  expect(isMoving("DEPLOYED")).toBe(false);
});

test("what is broken comes first", () => {
  expect(urgency(runningWord("ERROR"))).toBeLessThan(urgency(runningWord("WARNING")));
  expect(urgency(deploymentWord("BUILD_ERROR"), runningWord("RUNNING"))).toBe(urgency(runningWord("ERROR")));
});

test("running states aggregate as the reference documents", () => {
  expect(aggregate([])).toBeUndefined();
  expect(aggregate(["STOPPED", "STOPPED"])).toBe("STOPPED");
  expect(aggregate(["RUNNING", "STARTING", "ERROR"])).toBe("STARTING");
  expect(aggregate(["ERROR", "ERROR"])).toBe("ERROR");
  expect(aggregate(["ERROR", "RUNNING"])).toBe("WARNING");
  expect(aggregate(["RUNNING", "STOPPED"])).toBe("RUNNING");
});

test("sentences from names", () => expect(sentence("DEPLOYMENT_RULE")).toBe("Deployment rule"));

test("commands to copy can't run anything else", () => {
  expect(command("deploy", "web", "--watch")).toBe("slipway deploy web --watch");
  expect(quoted("it's; rm -rf ~ $(x)")).toBe(`'it'\\''s; rm -rf ~ $(x)'`);
  expect(command("services", "")).toBe("slipway services");
});

test("names become slugs", () => {
  expect(slug("  Été & Café! ")).toBe("ete-cafe");
  expect(slug("a".repeat(80))).toHaveLength(63);
  expect(slug("日本")).toBe("");
});

test("git addresses are understood or refused in a sentence", () => {
  expect(gitUrlProblem("https://github.com/ada/engine.git")).toBeUndefined();
  for (const bad of ["git@github.com:a/b.git", "--upload-pack=x", "github.com/a/b", "https://u:p@h/x.git", "https://h/a b"]) {
    expect([bad, gitUrlProblem(bad)]).not.toEqual([bad, undefined]);
  }
  expect(providerOf("https://gitlab.example.org/a/b")).toBe("GITLAB");
  expect(providerOf("http://localhost:8080/git/demo/web.git")).toBe("SLIPWAY");
  expect(providerOf("http://elsewhere/git/demo/web.git")).not.toBe("SLIPWAY");
  expect(repositoryName("https://github.com/Ada/My_Engine.git/")).toBe("my-engine");
});

test("keys of variables", () => {
  expect(keyProblem("DATABASE_URL")).toBeUndefined();
  expect(keyProblem("1X")).toBeDefined();
  expect(keyProblem("QOVERY_X")).toBeDefined();
});

test("a .env file is read as dotenv reads it", () => {
  const text = `# comment\nexport A=1\nB = "two words\\nand a line" # not this\nC='raw \\n $X'\nD=plain # note\nE=\nF="over\ntwo lines"\nnot a variable\n`;
  expect(Object.fromEntries(parseDotenv(text).map(({ key, value }) => [key, value]))).toEqual({
    A: "1",
    B: "two words\nand a line",
    C: "raw \\n $X",
    D: "plain",
    E: "",
    F: "over\ntwo lines",
  });
});

test("terminal frames carry their channel first", () => {
  expect([...frame(0, "é")]).toEqual([0, 195, 169]);
  expect(new TextDecoder().decode(resizeFrame(80, 24).subarray(1))).toBe('{"Width":80,"Height":24}');
});

test("the end of a terminal in words", () => {
  expect(endedBy('{"status":"Success"}').code).toBe(0);
  expect(endedBy('{"status":"Failure","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}').code).toBe(7);
  expect(endedBy("gone")).toEqual({ code: undefined, message: "gone" });
});

test("samples far apart are not joined", () => {
  const sample = (second: number, cpu_milli: number) => ({ at: new Date(second * 1000).toISOString(), processes: [{ name: "web", cpu_milli, memory_bytes: 1 }] });
  const { times, series } = columns([sample(200, 3), sample(10, 1), sample(20, 2), sample(20, 2)]);
  expect(times).toEqual([10, 20, 21, 200]);
  expect(series[0]?.cpu).toEqual([1, 2, null, 3]);
});

test("names of processes are shown by what tells them apart", () => {
  expect([...endings(["web-000002-0001", "web-000013-0001", "web-000002-0001"]).values()]).toEqual(["02-0001", "13-0001"]);
  expect([...endings(["web-1"]).values()]).toEqual(["web-1"]);
  expect([...endings(["web", "web-2"]).values()]).toEqual(["web", "web-2"]);
});
