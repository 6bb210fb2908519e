// The console in a real browser against a real platform: what a newcomer does, in their order.
// Run by test_console.py; each story prints its name when it holds, the first that doesn't ends the run.

import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { barriers, base, complaints, email, equal, fetchService, git, openBrowser, openPage, password, picture, until } from "./browser.mjs";

const browser = await openBrowser();
const page = await openPage(browser);
const work = mkdtempSync(join(tmpdir(), "slipway-console-"));
const unique = Date.now().toString(36);
const known = { project: `Shop ${unique}`, token: "", serviceUrl: "", address: "" };

const app = (text) => `
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        body = ("${text} " + os.environ.get("GREETING", "") + " " + os.environ.get("PASSPHRASE", "")).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        print("\\x1b[31mERROR\\x1b[0m seen <b>" + self.path + "</b>", flush=True)

print("listening", flush=True)
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
`;

function push(files, message) {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(work, name), text);
  git(work, "add", "-A");
  git(work, "commit", "-q", "-m", message);
  git(work, "push", "-q", "slipway", "HEAD:main");
}

const tab = (name) => page.getByRole("navigation", { name: /^(Service|Environment)$/ }).getByRole("link", { name, exact: true });

const stories = {
  async "a wrong password says so, and a deep link comes back after the login"() {
    await page.goto(`${base}/organization/none?x=1`);
    await page.getByLabel("E-mail").fill(email);
    await page.getByLabel("Password").fill("not the password");
    await page.keyboard.press("Enter");
    await page.getByText("E-mail or password is wrong.").waitFor();
    await picture(page, "login-refused");
    await page.getByLabel("Password").fill(password);
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/organization\/none/);
    equal((await page.context().cookies()).find(({ name }) => /session/.test(name))?.httpOnly, true, "the session cookie is HttpOnly");
    equal(await page.evaluate(() => document.cookie), "", "what scripts see of cookies");
  },

  async "the first page stays within its budget"() {
    const fresh = await openPage(browser);
    let bytes = 0;
    let requests = 0;
    const session = await fresh.context().newCDPSession(fresh);
    await session.send("Network.enable");
    session.on("Network.loadingFinished", ({ encodedDataLength }) => {
      bytes += encodedDataLength;
      requests += 1;
    });
    await fresh.goto(base, { waitUntil: "networkidle" });
    await fresh.getByRole("button", { name: "Log in" }).waitFor();
    if (bytes > 260_000) throw new Error(`the first load takes ${bytes} bytes`);
    if (requests > 14) throw new Error(`the first load takes ${requests} requests`);
    console.log(`    ${Math.round(bytes / 1000)} kB in ${requests} requests`);
    await fresh.context().close();
  },

  async "a project, an environment and a service that waits for a push"() {
    await page.goto(base);
    await page.waitForURL(/\/organization\//);
    known.organization = page.url();
    await page.getByRole("button", { name: "New project" }).first().click();
    await page.getByLabel("Name").fill(known.project);
    await page.getByRole("button", { name: "Create project" }).click();
    const section = page.getByRole("region", { name: known.project });
    await section.getByText("No environment yet").waitFor();
    await section.getByRole("button", { name: "New environment" }).click();
    await page.getByLabel("Name").fill("production");
    await page.getByLabel("What it is for").selectOption("PRODUCTION");
    await page.getByRole("button", { name: "Create environment" }).click();
    await page.getByText("No service yet").waitFor();
    await picture(page, "empty-environment");
    await page.getByRole("link", { name: "New service" }).last().click();
    await page.getByLabel("Name", { exact: true }).fill("shop");
    await page.getByRole("button", { name: "Create service" }).click();
    await page.getByRole("heading", { name: "shop is there" }).waitFor();
    known.remote = (await page.getByLabel("Commands", { exact: true }).innerText()).match(/git remote add slipway (\S+)/)[1];
    await picture(page, "new-service-made");
    await page.getByRole("link", { name: "To the service" }).click();
    await page.getByRole("heading", { name: "Push your code to deploy it" }).waitFor();
    known.serviceUrl = page.url();
  },

  async "an API token, shown once"() {
    await page.getByRole("link", { name: "API token" }).first().click();
    await page.getByRole("button", { name: "New token" }).click();
    await page.getByLabel("Name").fill(`laptop ${unique}`);
    await page.getByRole("button", { name: "Create token" }).click();
    known.token = (await page.getByLabel("Commands", { exact: true }).innerText()).trim();
    await page.getByText(`laptop ${unique}`).first().waitFor();
    await page.reload();
    await page.getByText(`laptop ${unique}`).first().waitFor();
    equal(await page.getByText(known.token).count(), 0, "the token after a reload");
  },

  async "a push is watched to the end without a reload"() {
    await page.goto(known.serviceUrl);
    await page.getByText("Never deployed").first().waitFor();
    git(work, "init", "-q", "-b", "main");
    git(work, "remote", "add", "slipway", known.remote.replace("://", `://slipway:${known.token}@`));
    push({ Procfile: "web: python app.py\n", "app.py": app("first") }, "Open the shop");
    await page.getByRole("link", { name: /#1 Deployed/ }).waitFor({ timeout: 90_000 });
    await page.getByText("Running", { exact: true }).first().waitFor();
    known.address = await page.getByRole("link", { name: /localhost:\d+$/ }).first().getAttribute("href");
    equal((await fetchService(known.address)).body.trim(), "first", "the served page");
    await picture(page, "service");
    await page.getByRole("link", { name: /#1 Deployed/ }).click();
    await page.getByRole("heading", { name: "Deploy #1" }).waitFor();
    await page.getByText("The new version answers").waitFor();
    await picture(page, "deployment");
  },

  async "logs come live, in colour, and never as HTML"() {
    await page.goto(`${known.serviceUrl}/logs`);
    const log = page.getByRole("log");
    await log.getByText("listening").first().waitFor();
    await fetchService(known.address, "/cart?x=<i>1</i>");
    await log.getByText("seen <b>/cart").first().waitFor();
    equal(await log.locator("b, i").count(), 0, "elements that a log line made");
    equal(await log.locator(".ansi-1").first().innerText(), "ERROR", "the coloured word");
    await page.keyboard.press("/");
    await page.keyboard.type("cart");
    await until(async () => (await page.getByRole("toolbar", { name: "Log" }).innerText()).includes("1 line"), "the filtered log");
    await picture(page, "logs");
  },

  async "a link leads to its log line"() {
    await page.goto(`${known.serviceUrl}/logs`);
    const line = page.getByRole("log").locator("[data-index]").filter({ hasText: "seen <b>/cart" }).first();
    await line.locator("time").click();
    await page.waitForURL(/#line=/);
    const other = await openPage(browser, { storageState: await page.context().storageState() });
    await other.goto(page.url());
    const marked = other.getByRole("log").locator(".bg-accent-soft");
    await marked.getByText("seen <b>/cart").waitFor();
    equal(await marked.count(), 1, "marked lines");
    await other.goto(page.url().replace(/#line=.*/, "#line=none.1"));
    await other.getByText("The line of the link is not kept any more", { exact: false }).waitFor();
    await other.context().close();
  },

  async "variables and secrets; the plan shows them; the next deployment has them"() {
    await page.goto(`${known.serviceUrl}/variables`);
    await page.getByRole("button", { name: "New variable" }).click();
    await page.getByLabel("Key", { exact: true }).fill("GREETING");
    await page.getByLabel("Value", { exact: true }).fill("hello");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("GREETING", { exact: true }).waitFor();
    await page.getByRole("button", { name: "New variable" }).click();
    await page.getByLabel("Key", { exact: true }).fill("PASSPHRASE");
    await page.getByLabel("Secret", { exact: true }).check();
    await page.getByLabel("Value", { exact: true }).fill("open sesame");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("secret: can be replaced, not read").waitFor();
    await page.reload();
    await page.getByText("PASSPHRASE", { exact: true }).waitFor();
    if ((await page.content()).includes("open sesame")) throw new Error("the secret came back");
    await picture(page, "variables");
    await page.getByRole("navigation", { name: "Where you are" }).getByRole("link", { name: "production" }).click();
    await page.getByText("Changes to deploy").waitFor();
    await page.getByRole("button", { name: "More actions" }).click();
    await page.getByRole("menuitem", { name: "Show the plan first" }).click();
    await page.getByRole("dialog").getByText("GREETING").waitFor();
    await picture(page, "plan");
    await page.getByRole("dialog").getByRole("button", { name: "Deploy" }).click();
    await until(async () => (await fetchService(known.address)).body === "first hello open sesame", "the page with its variables");
  },

  async "a broken push names its reason and opens the failing step; the old page is served"() {
    push({ "requirements.txt": "this-package-does-not-exist-at-all==99\n" }, "Break it");
    await page.getByText(/failed: #\d+/).first().waitFor({ timeout: 90_000 });
    await picture(page, "environment-failed");
    await page.getByRole("link", { name: "See why" }).click();
    await page.getByRole("alert").waitFor();
    await page.locator('[aria-current="step"]').getByText("Build", { exact: false }).first().waitFor();
    await page.getByText("The lines that explain it").waitFor();
    await picture(page, "deployment-failed");
    equal((await fetchService(known.address)).body, "first hello open sesame", "the old page");
    await page.goto(base);
    await page.getByText(/needs? attention/).waitFor();
    await picture(page, "home-attention");
  },

  async "a mended push, then back to what ran before"() {
    push({ "requirements.txt": "", "app.py": app("second") }, "Mend it");
    await until(async () => (await fetchService(known.address)).body.startsWith("second"), "the mended page", 90);
    await page.goto(known.serviceUrl);
    await page.getByRole("link", { name: /Deployed/ }).last().click();
    await page.getByRole("heading", { name: "Deploy #1" }).waitFor();
    await page.getByRole("button", { name: "Roll back to this" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Roll back" }).click();
    await until(async () => (await fetchService(known.address)).body.startsWith("first"), "the page of before", 90);
    await page.getByText("To roll back", { exact: false }).waitFor();
  },

  async "settings are saved, one panel at a time; what is wrong is named"() {
    await page.goto(`${known.serviceUrl}/settings`);
    const panel = (title) => page.locator("form", { has: page.getByRole("heading", { name: title, exact: true }) });
    equal(await page.getByLabel("Deploy every push to this branch").isChecked(), false, "deploying on push after a rollback");
    await page.getByLabel("Deploy every push to this branch").check();
    await panel("Source").getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved").first().waitFor();
    await page.getByLabel("Memory").fill("256");
    await panel("Resources and start").getByRole("button", { name: "Save" }).click();
    await until(async () => (await page.getByText("Saved").count()) > 1, "the second news of having saved");
    await page.getByLabel("Name", { exact: true }).fill(" ");
    await panel("General").getByRole("button", { name: "Save" }).click();
    await panel("General").getByRole("alert").getByText("name", { exact: false }).first().waitFor();
    await picture(page, "settings-refused");
    await page.reload();
    await until(async () => (await page.getByLabel("Memory").inputValue()) === "256", "the memory after a reload");
    equal(await page.getByLabel("Deploy every push to this branch").isChecked(), true, "deploying on push");
    await page.getByRole("navigation", { name: "Where you are" }).getByRole("link", { name: "production" }).click();
    await tab("Settings").click();
    await page.getByLabel("Name", { exact: true }).fill("live");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { name: "live", level: 1 }).waitFor();
    await page.getByLabel("Name", { exact: true }).fill("production");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { name: "production", level: 1 }).waitFor();
  },

  async "a service from a Git address tells what to enter at the provider"() {
    await page.goto(known.serviceUrl.replace(/\/service\/.*/, "/new"));
    await page.getByRole("radio", { name: /Git address/ }).click();
    await page.getByLabel("Git address", { exact: true }).fill("git@github.com:ada/engine.git");
    await page.getByText("Use the https address", { exact: false }).waitFor();
    await page.getByLabel("Git address", { exact: true }).fill("https://github.com/ada/engine.git");
    await page.getByRole("button", { name: "Create service" }).click();
    await page.getByRole("heading", { name: "engine is there" }).waitFor();
    await page.getByText(/\/hooks\/github\//).waitFor();
    await page.getByRole("button", { name: "Show the secret" }).click();
    await page.getByText("it is not shown again", { exact: false }).waitFor();
    await picture(page, "new-service-git");
    await page.getByRole("link", { name: "To the service" }).click();
    await page.getByRole("heading", { name: "engine", level: 1 }).waitFor();
    await tab("Settings").click();
    await page.getByRole("button", { name: "Delete service" }).click();
    await page.getByLabel("Type engine to confirm").fill("engine");
    await page.getByRole("dialog").getByRole("button", { name: "Delete service" }).click();
    await page.getByRole("link", { name: "shop", exact: true }).first().waitFor();
  },

  async "a terminal beside the service that follows the window"() {
    await page.goto(`${known.serviceUrl}/terminal`);
    const screen = page.locator(".xterm-rows");
    await until(async () => /[$#]/.test(await screen.innerText()), "the prompt");
    const size = async () => {
      await page.keyboard.type("clear; stty size; echo on=$GREETING\n");
      return until(async () => /(\d+ \d+)\s+on=hello/.exec(await screen.innerText())?.[1], "the size");
    };
    const before = await size();
    await picture(page, "terminal");
    await page.setViewportSize({ width: 900, height: 640 });
    await page.waitForTimeout(500);
    await until(async () => (await size()) !== before, "another size");
    await page.setViewportSize({ width: 1280, height: 860 });
    await page.keyboard.type("exit 7\n");
    await page.getByText("The shell ended with exit code 7.").waitFor();
    await page.locator("summary", { hasText: "Sessions" }).click();
    await page.getByRole("list", { name: "Sessions" }).getByText("exit code 7").waitFor({ timeout: 30_000 });
  },

  async "metrics draw"() {
    await tab("Metrics").click();
    await page.getByRole("img", { name: "CPU over time" }).waitFor({ timeout: 40_000 });
    await page.getByText("Deployments in this time", { exact: false }).waitFor();
    await page.getByRole("button", { name: "48 h" }).click();
    await page.getByRole("img", { name: "Memory over time" }).waitFor();
    await page.getByRole("button", { name: "1 h", exact: true }).click();
    await picture(page, "metrics");
  },

  async "the audit log tells who changed what, and passes a filter"() {
    await page.goto(`${known.organization}/audit`);
    await page.getByRole("heading", { name: "Audit log" }).waitFor();
    await page.getByLabel("What happened").selectOption("UPDATE");
    await page.getByLabel("To what").selectOption("APPLICATION");
    await page.waitForURL(/eventType=UPDATE/);
    const memory = page.getByRole("listitem").filter({ hasText: "shop service changed" }).filter({ hasText: "memory" }).first();
    await memory.getByRole("button", { name: /^What changed/ }).click();
    const row = page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: "memory", exact: true }) }).first();
    equal(await row.locator("ins").innerText(), "256", "the memory after the change");
    await picture(page, "audit");
    equal((await page.content()).includes("open sesame"), false, "the secret in the audit log");
  },

  async "two deployments are held against each other"() {
    await page.goto(known.serviceUrl.replace(/\/service\/.*/, "/deployments"));
    await page.getByRole("link", { name: "Compare two" }).click();
    const choice = async (label, number) => {
      const select = page.getByLabel(label);
      const texts = await select.locator("option").allInnerTexts();
      await select.selectOption({ label: texts.find((text) => text.startsWith(`#${number} `)) });
    };
    await page.getByRole("region", { name: "Steps" }).waitFor();
    await choice("Earlier deployment", 1);
    await choice("Later deployment", 2);
    const variables = page.getByRole("region", { name: "Variables" });
    await variables.getByText("GREETING", { exact: true }).waitFor();
    await variables.getByText("PASSPHRASE", { exact: true }).waitFor();
    await page.getByRole("region", { name: "Steps" }).getByText("Build").first().waitFor();
    await picture(page, "compare");
  },

  async "clusters tell whether engine and agent are there"() {
    await page.goto(known.organization);
    await page.getByRole("navigation", { name: "Organization" }).getByRole("link", { name: "Clusters" }).click();
    await page.getByText("Connected", { exact: true }).first().waitFor();
    await page.getByRole("button", { name: "Check the connections" }).first().click();
    await page.getByText("Engine and agent are both there.").waitFor();
    await picture(page, "clusters");
  },

  async "an environment starts and stops by a timetable; what comes next is told"() {
    await page.goto(known.serviceUrl.replace(/\/service\/.*/, "/timetable"));
    await page.getByText("Nothing is due.").waitFor();
    await page.getByLabel("Start and stop by a timetable").check();
    await page.getByLabel("Starts at").fill("07:30");
    await page.getByLabel("Time zone").fill("Europe/Berlin");
    await page.getByText("It runs 57.5 of 168 hours a week.").waitFor();
    await page.getByRole("button", { name: "Save" }).click();
    const next = page.getByRole("region", { name: "What comes next" });
    await next.getByText(/, 07:30$/).first().waitFor();
    await next.getByText(/, 19:00$/).first().waitFor();
    await picture(page, "timetable");
    await next.getByRole("button", { name: "Pause" }).click();
    await next.getByText("Paused by", { exact: false }).waitFor();
    await page.getByLabel("Time zone").fill("Europe/Nowhere");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("is no time zone such as Europe/Berlin", { exact: false }).waitFor();
    await page.getByLabel("Time zone").fill("Europe/Berlin");
    await page.getByLabel("Start and stop by a timetable").uncheck();
    await page.getByRole("button", { name: "Save" }).click();
    await next.getByText("Nothing is due.").waitFor();
  },

  async "the canvas draws who uses whom"() {
    const environment = known.serviceUrl.match(/environment\/([^/]+)/)[1];
    const made = await page.evaluate(async ({ environment, host }) => {
      const send = async (path, body) => (await fetch(`/api${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();
      const service = await send(`/environment/${environment}/application`, { name: "till", git_repository: { url: "https://github.com/ada/till.git", branch: "main", provider: "GITHUB" }, ports: [], healthchecks: {} });
      return send("/variable", { key: "SHOP_URL", value: `http://${host}/`, is_secret: false, variable_scope: "APPLICATION", variable_parent_id: service.id });
    }, { environment, host: new URL(known.address).host });
    equal(made.key, "SHOP_URL", "the variable that names the other service");
    await page.goto(known.serviceUrl.replace(/\/service\/.*/, "/canvas"));
    await page.getByRole("list", { name: "Connections" }).getByText("SHOP_URL").waitFor();
    equal(await page.getByRole("region", { name: "Canvas" }).locator("path[marker-end]").count(), 1, "lines between services");
    await picture(page, "canvas");
  },

  async "what a push delivered stands with what was made of it"() {
    await page.goto(known.serviceUrl);
    await tab("Deliveries").click();
    const first = page.getByRole("list", { name: "Deliveries" }).getByRole("listitem").first();
    await first.getByText("Accepted").waitFor();
    await first.getByText("signature proven", { exact: false }).waitFor();
    await picture(page, "deliveries");
  },

  async "the palette goes anywhere by the keyboard"() {
    await page.goto(base);
    await page.getByRole("button", { name: /^Search/ }).waitFor();
    await page.keyboard.press("Control+k");
    await page.getByPlaceholder("Go to, or do…").fill("shop");
    await page.getByRole("option", { name: /^shop/ }).first().waitFor();
    await page.keyboard.press("Home"); // what was found first may have come before the services
    await page.getByRole("option", { name: /^shop/, selected: true }).waitFor();
    await picture(page, "palette");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/service\//);
  },

  async "a lost gateway is said, and what is seen is fresh again by itself"() {
    if (!process.env.SLIPWAY_COMMAND) return;
    await page.goto(`${known.serviceUrl}/logs`);
    await page.getByRole("log").getByText("listening").first().waitFor();
    const pid = () => JSON.parse(execFileSync(process.env.SLIPWAY_COMMAND, ["status", "--json"], { encoding: "utf8" })).processes.websocket.pid;
    const stopped = pid();
    process.kill(stopped, "SIGSTOP"); // it neither answers nor closes
    await page.context().setOffline(true);
    await page.getByText("Not live since").waitFor({ timeout: 60_000 });
    await picture(page, "not-live");
    await page.context().setOffline(false);
    process.kill(stopped, "SIGKILL");
    await page.getByText("Not live since").waitFor({ state: "hidden", timeout: 60_000 });
    await fetchService(known.address, "/after-the-break");
    await page.getByRole("log").getByText("/after-the-break").first().waitFor();
  },

  async "a viewer is invited, joins, sees what runs, and is offered nothing that they may not do"() {
    await page.goto(`${known.organization}/members`);
    await page.getByRole("button", { name: "Invite" }).click();
    const viewer = `viewer-${unique}@example.org`;
    await page.getByLabel("E-mail").fill(viewer);
    await page.getByRole("dialog").getByRole("button", { name: "Invite" }).click();
    await page.getByText(`Send this link to ${viewer}`).waitFor();
    const link = (await page.getByLabel("Commands", { exact: true }).innerText()).trim();
    await picture(page, "members");

    const theirs = await openPage(browser);
    await theirs.goto(link);
    await theirs.getByLabel("Your name").fill("Vera");
    await theirs.getByLabel("Password").fill(`${unique}-look-only`);
    await picture(theirs, "invitation");
    known.barriers = await barriers(theirs);
    await theirs.getByRole("button", { name: "Make an account and join" }).click();
    await theirs.getByRole("region", { name: known.project }).waitFor();
    await theirs.getByText("You look on as Viewer").waitFor();
    const offered = (name) => theirs.getByRole("main").getByRole("button", { name, exact: true }).count();
    equal(await offered("New project"), 0, "New project");
    await theirs.goto(known.serviceUrl);
    await theirs.getByText("Running", { exact: true }).first().waitFor();
    await theirs.getByText("You look on as Viewer").waitFor();
    for (const name of ["Deploy", "More actions", "Roll back"]) equal(await offered(name), 0, name);
    await picture(theirs, "viewer-service");
    await theirs.goto(`${known.serviceUrl}/variables`);
    await theirs.getByText("GREETING", { exact: true }).waitFor();
    for (const name of ["New variable", "Paste .env", "Edit GREETING", "Delete GREETING"]) equal(await offered(name), 0, name);
    await theirs.goto(`${known.serviceUrl}/terminal`);
    await theirs.getByText("It needs the role DevOps; yours is Viewer.", { exact: false }).waitFor();
    known.barriers.push(...(await barriers(theirs)));
    await theirs.goto(`${known.serviceUrl}/settings`);
    await theirs.getByLabel("Memory").waitFor();
    equal(await theirs.getByLabel("Memory").isDisabled(), true, "a setting that can't be changed");
    for (const name of ["Save", "Delete service"]) equal(await offered(name), 0, name);
    await theirs.goto(`${known.organization}/tokens`);
    await theirs.getByText("Only administrators make and revoke them.", { exact: false }).waitFor();
    equal(await offered("New token"), 0, "New token");
    const refused = await theirs.evaluate(async (path) => (await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" })).status, `/api/environment/${known.serviceUrl.match(/environment\/([^/]+)/)[1]}/deploy`);
    equal(refused, 403, "a deployment that is asked for all the same");

    await page.reload();
    await page.getByLabel(`Role of ${viewer}`).selectOption({ label: "DevOps" });
    await page.getByText(`${viewer} is DevOps now`).waitFor();
    await theirs.goto(known.serviceUrl);
    await theirs.getByRole("main").getByRole("button", { name: "Deploy", exact: true }).waitFor();
    await page.getByRole("button", { name: `Remove ${viewer}` }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await page.getByText(`${viewer} is removed`).waitFor();
    const theirOrganizations = () => theirs.evaluate(async () => (await (await fetch("/api/organization")).json()).results.length);
    await until(async () => (await theirOrganizations()) === 0, "the end of what they see", 10);
    await theirs.context().close();
    equal(known.barriers.join("\n"), "", "serious barriers");
  },

  async "every page can be used by everybody, in light and in dark"() {
    const environment = known.serviceUrl.replace(/\/service\/.*/, "");
    const own = ["", "/logs", "/variables", "/metrics", "/terminal", "/deliveries", "/settings"].map((path) => known.serviceUrl + path);
    const organization = ["", "/members", "/tokens", "/clusters", "/audit"].map((path) => known.organization + path);
    const pages = [base, ...organization.slice(1), ...own, ...["", "/canvas", "/deployments", "/compare", "/variables", "/timetable", "/settings", "/new"].map((path) => environment + path)];
    const found = [];
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      for (const address of pages) {
        await page.goto(address);
        await page.getByRole("heading", { level: 1 }).waitFor();
        await page.waitForTimeout(400);
        found.push(...(await barriers(page)).map((barrier) => `${colorScheme} ${address} ${barrier}`));
        await picture(page, `${colorScheme}-${address.replace(base, "").replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "").replace(/\W+/g, "-") || "home"}`);
      }
    }
    await page.emulateMedia({ colorScheme: "light" });
    equal(found.join("\n"), "", "serious barriers");
  },

  async "every page fits a phone"() {
    await page.setViewportSize({ width: 390, height: 844 });
    for (const path of ["", "/logs", "/variables", "/metrics", "/settings"]) {
      await page.goto(known.serviceUrl + path);
      await page.getByRole("heading", { name: "shop" }).waitFor();
      await page.waitForTimeout(300);
      equal(await page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - window.innerWidth)), 0, `sideways overflow of ${path || "the overview"}`);
      await picture(page, `phone${path.replace("/", "-")}`);
    }
    await page.setViewportSize({ width: 1280, height: 860 });
  },

  async "deleting asks for the name, and takes the service away"() {
    await page.goto(`${known.serviceUrl}/settings`);
    await page.getByRole("button", { name: "Delete service" }).click();
    const dialog = page.getByRole("dialog");
    equal(await dialog.getByRole("button", { name: "Delete service" }).isDisabled(), true, "delete before the name was typed");
    await dialog.getByLabel("Type shop to confirm").fill("shop");
    await dialog.getByRole("button", { name: "Delete service" }).click();
    await page.getByRole("main").getByRole("link", { name: "till", exact: true }).waitFor({ timeout: 60_000 });
    await page.getByRole("main").getByRole("link", { name: "shop", exact: true }).first().waitFor({ state: "hidden", timeout: 60_000 });
  },

  async "logging out ends it"() {
    await page.getByRole("button", { name: "Account and theme" }).click();
    await page.getByRole("menuitem", { name: "Log out" }).click();
    await page.getByRole("button", { name: "Log in" }).waitFor();
    await page.goto(known.serviceUrl);
    await page.getByRole("button", { name: "Log in" }).waitFor();
  },
};

try {
  for (const [name, story] of Object.entries(stories)) {
    const began = Date.now();
    await story().catch(async (error) => {
      await picture(page, "failed");
      throw new Error(`${name}: ${error.message}\nat ${page.url()}\n${(await page.locator("body").innerText().catch(() => "")).slice(0, 1500)}`);
    });
    console.log(`  ✓ ${((Date.now() - began) / 1000).toFixed(1)} s  ${name}`);
  }
  if (complaints.length > 0) throw new Error(`the page complained:\n${complaints.join("\n")}`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await browser.close();
}

