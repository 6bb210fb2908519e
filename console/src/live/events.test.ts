import { QueryClient } from "@tanstack/react-query";
import { expect, test } from "vitest";

import type { Deployment, Event } from "@/api/types";
import { applyEvent } from "./events";

const deployment = (status: string, number = 7): Deployment => ({
  id: `d${number}`, number, organization_id: "o", project_id: "p", environment_id: "e", action: "DEPLOY", status, commits: { s: "c0ffee" }, created_at: "2026-01-01T00:00:00Z",
});
const event = (version: number, body: Deployment): Event => ({
  id: `e${version}`, organization_id: "o", environment_id: "e", entity: "deployment", verb: "progressed", entity_id: body.id, version, body, at: "2026-01-01T00:00:00Z",
});

test("an event puts its deployment into every list that shows it, newest first", () => {
  const client = new QueryClient();
  client.setQueryData(["environment", "e", "deployments"], [deployment("DEPLOYED", 9), deployment("DEPLOYED", 8)]);
  client.setQueryData(["service", "s", "deployments"], []);
  applyEvent(client, event(1, deployment("BUILDING", 10)));
  applyEvent(client, event(2, deployment("DEPLOYED", 10)));
  const list = client.getQueryData<Deployment[]>(["environment", "e", "deployments"]);
  expect(list?.map(({ number, status }) => `${number} ${status}`)).toEqual(["10 DEPLOYED", "9 DEPLOYED", "8 DEPLOYED"]);
  expect(client.getQueryData<Deployment[]>(["service", "s", "deployments"])).toHaveLength(1);
  expect(client.getQueryData<Deployment>(["deployment", "d10"])?.status).toBe("DEPLOYED");
});

test("an older event changes nothing", () => {
  const client = new QueryClient();
  applyEvent(client, event(5, deployment("DEPLOYED", 20)));
  applyEvent(client, event(4, deployment("BUILDING", 20)));
  expect(client.getQueryData<Deployment>(["deployment", "d20"])?.status).toBe("DEPLOYED");
});

test("lists that nobody loaded are not made up", () => {
  const client = new QueryClient();
  applyEvent(client, event(1, deployment("DEPLOYED", 30)));
  expect(client.getQueryData(["environment", "e", "deployments"])).toBeUndefined();
});
