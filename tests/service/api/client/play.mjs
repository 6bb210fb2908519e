// Plays scenarios with the published client of the public API, and writes down every answer for the judge in Python.
//
// The world (address, tokens, ids) comes as JSON on standard input; what happened goes to standard output, one JSON
// object per line: {exchange: …} for each answer, {scenario: …} for each scenario played.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import process from 'node:process';

import * as client from 'qovery-typescript-axios';

export const equal = assert.deepEqual;
export const ok = assert.ok;

const scenarios = [];
let playing = '';

/** Declares a scenario; its name says what holds. */
export function scenario(name, play) {
  scenarios.push({ name, play });
}

/** The client as somebody: every operation by its name. A call gives the answer's body. */
export function clientOf(url, authorization) {
  const configuration = new client.Configuration({ basePath: `${url}/api`, apiKey: authorization });
  const operations = {};
  for (const [name, type] of Object.entries(client)) {
    if (!name.endsWith('Api') || typeof type !== 'function') continue;
    const area = new type(configuration);
    for (const method of Object.getOwnPropertyNames(type.prototype)) {
      if (method !== 'constructor') operations[method] = (...sent) => call(area, method, sent);
    }
  }
  return operations;
}

async function call(area, method, sent) {
  try {
    const response = await area[method](...sent);
    write(method, response);
    return response.data;
  } catch (error) {
    if (!error.response) throw error;
    write(method, error.response);
    const { status, data } = error.response;
    throw Object.assign(new Error(`${method}: ${status} ${JSON.stringify(data)}`), { status, problem: data });
  }
}

function write(operation, { status, data, config }) {
  const path = new URL(config.url).pathname;
  say({ exchange: { scenario: playing, operation, method: config.method, path, status, body: data === '' ? null : data } });
}

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** The call is refused with this status (and code); gives the problem document. */
export async function refused(calling, status, code) {
  const outcome = await calling.then((data) => ({ data }), (error) => error);
  assert.ok(outcome.problem, `expected ${status}, but it was done: ${JSON.stringify(outcome.data ?? outcome.message)}`);
  assert.equal(outcome.status, status, outcome.message);
  if (code) assert.equal(outcome.problem.code, code, outcome.message);
  return outcome.problem;
}

/** Asks until the answer is as it should be, ten seconds at most. */
export async function eventually(ask, right) {
  const until = Date.now() + 10_000;
  for (;;) {
    const answer = await ask();
    if (right(answer)) return answer;
    assert.ok(Date.now() < until, `still ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Names no two scenarios share. */
let count = 0;
export const unique = (word) => `${word} ${(count += 1)}`;

async function read() {
  let text = '';
  for await (const chunk of process.stdin) text += chunk;
  return JSON.parse(text);
}

async function main() {
  const given = await read();
  const { World } = await import('./world.mjs');
  const files = await readdir(new URL('./scenarios/', import.meta.url));
  for (const file of files.sort()) {
    const before = scenarios.length;
    await import(`./scenarios/${file}`);
    for (const one of scenarios.slice(before)) await played(file.replace('.mjs', ''), one, new World(given));
  }
}

async function played(area, { name, play }, world) {
  playing = `${area}: ${name}`;
  const began = Date.now();
  let error = '';
  try {
    await play(world);
  } catch (failure) {
    error = failure.stack ?? String(failure);
  }
  say({ scenario: { name: playing, error, seconds: (Date.now() - began) / 1000 } });
}

if (process.argv[1] === new URL(import.meta.url).pathname) main();
