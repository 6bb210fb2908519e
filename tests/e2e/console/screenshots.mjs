// Pictures of the main pages for docs/screenshots, from a platform that was just started with its demo.
// SLIPWAY_URL, SLIPWAY_EMAIL, SLIPWAY_PASSWORD and CHROMIUM as for the stories; SLIPWAY_SCREENSHOTS says where they go.

import { base, fetchService, logIn, openBrowser, openPage, picture, until } from "./browser.mjs";

const browser = await openBrowser();
const page = await openPage(browser, { viewport: { width: 1280, height: 760 } });
await logIn(page);
await page.waitForURL(/\/organization\//);
const organization = page.url();

const ask = (method, path, body) =>
  page.evaluate(
    async ([method, path, body]) => {
      const answer = await fetch(`/api${path}`, { method, headers: { "Content-Type": "application/json" }, body: body === undefined ? null : JSON.stringify(body) });
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
      return answer.status === 204 ? null : JSON.parse((await answer.text()) || "null");
    },
    [method, path, body],
  );
const all = async (path) => (await ask("GET", path)).results;

const organizationId = new URL(organization).pathname.split("/")[2];
const environment = (await all(`/organization/${organizationId}/environments`)).find(({ name }) => name === "production");
const at = `/environment/${environment.id}`;
const services = await all(`${at}/services`);
const links = await all(`${at}/link`);
const linkOf = (name) => links.find(({ service_id }) => service_id === services.find((each) => each.name === name).id).url;
const web = services.find(({ name }) => name === "web");

async function prepare() {
  if ((await all(`${at}/deployments`)).length > 2) return; // it was prepared before
  await ask("POST", "/variable", { key: "API_URL", value: linkOf("api"), is_secret: false, variable_scope: "APPLICATION", variable_parent_id: web.id });
  await ask("POST", "/variable", { key: "SESSION_KEY", value: "kept secret", is_secret: true, variable_scope: "APPLICATION", variable_parent_id: web.id });
  const rule = await ask("GET", `${at}/deploymentRule`);
  const hours = { auto_stop: true, auto_preview: false, on_demand_preview: false, timezone: "Europe/Berlin", weekdays: rule.weekdays, start_time: rule.start_time, stop_time: rule.stop_time };
  await ask("POST", `/project/${environment.project.id}/environment`, { name: "staging", mode: "STAGING" }).catch(() => null);
  await ask("POST", `${at}/deploy`, {});
  await until(async () => {
    const [last] = await all(`${at}/deployments`);
    return last.ended_at && last.number > 2;
  }, "the deployment");
  await ask("PUT", `${at}/deploymentRule/${rule.id}`, hours);
  await ask("POST", `/organization/${organizationId}/inviteMember`, { email: "ada@example.org", role: "DEVELOPER" }).catch(() => null);
  for (let visit = 0; visit < 30; visit++) await fetchService(linkOf("web"), `/?visit=${visit}`);
}

await prepare();
const [last] = await all(`${at}/deployments`);
const service = `${at}/service/${web.id}`;
const pages = {
  "home-light": new URL(organization).pathname,
  "environment-dark": at,
  "canvas-light": `${at}/canvas`,
  "deployment-light": `${at}/deployment/${last.id}`,
  "compare-dark": `${at}/compare`,
  "logs-dark": `${service}/logs`,
  "metrics-light": `${service}/metrics`,
  "variables-light": `${service}/variables`,
  "timetable-dark": `${at}/timetable`,
  "audit-light": `${new URL(organization).pathname}/audit?targetType=APPLICATION`,
  "members-dark": `${new URL(organization).pathname}/members`,
};
for (const [name, path] of Object.entries(pages)) {
  await page.emulateMedia({ colorScheme: name.endsWith("dark") ? "dark" : "light" });
  await page.goto(base + path);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.waitForTimeout(1_200);
  await picture(page, name);
}
await page.setViewportSize({ width: 390, height: 844 });
await page.goto(base + service);
await page.getByRole("heading", { level: 1 }).waitFor();
await page.waitForTimeout(800);
await picture(page, "phone-dark");
await browser.close();
