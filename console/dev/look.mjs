// Takes pictures of every page and runs axe on it: node dev/look.mjs OUT_DIR [BASE] [page…] with a server already running.
// Options by environment: LANGS=zh,en WIDTHS=1440,390 AXE=0
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [out = "shots", base = "http://127.0.0.1:5199", ...wanted] = process.argv.slice(2);
const languages = (process.env.LANGS ?? "zh,en").split(",");
const widths = (process.env.WIDTHS ?? "1440,390").split(",").map(Number);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const tree = encodeURIComponent(JSON.stringify({ type: "group", id: "g1", op: "and", children: [{ type: "rule", id: "r1", predicate: "bought", params: { by: "category", keys: ["fluid-milk"], measure: "times", at_least: 1, within_days: 30 } }] }));

const PAGES = {
  login: { path: "/login" },
  overview: { path: "/overview" },
  people: { path: "/people" },
  drilled: { path: `/people?tree=${tree}` },
  person: { path: process.env.PERSON ?? "/people/p_8f21c0" },
  identity: { path: `${process.env.PERSON ?? "/people/p_8f21c0"}?tab=identity` },
  consent: { path: `${process.env.PERSON ?? "/people/p_8f21c0"}?tab=consent` },
  events: { path: "/events?name=order_paid" },
  sources: { path: "/sources" },
  quarantine: { path: "/sources?tab=quarantine" },
  connect: { path: "/sources?tab=connect" },
  ...Object.fromEntries(["connections", "users", "clients", "consent", "identity", "audit", "system"].map((tab) => [`settings-${tab}`, { path: `/settings?tab=${tab}` }])),
  missing: { path: "/nowhere" },
};

mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--font-render-hinting=none"] });
let violations = 0;
for (const width of widths) {
  for (const language of languages) {
    const context = await browser.newContext({ viewport: { width, height: width < 500 ? 844 : 960 }, deviceScaleFactor: width < 500 ? 2 : 1 });
    const page = await context.newPage();
    page.on("console", (message) => message.type() === "error" && !/401|ERR_/.test(message.text()) && console.log("  console:", message.text().slice(0, 300)));
    page.on("pageerror", (error) => console.log("  page error:", String(error).slice(0, 300)));
    await page.goto(`${base}/login?lang=${language}`);
    await page.evaluate(() => fetch("/api/v1/session", { method: "DELETE" }));
    await page.evaluate((chosen) => localStorage.setItem("quanyu.language", chosen), language);
    await page.getByTestId("username").waitFor();
    for (const [name, { path }] of Object.entries(PAGES)) {
      if (wanted.length && !wanted.includes(name)) continue;
      if (name !== "login" && !(await context.cookies()).length && !context.signedIn) {
        await page.getByTestId("username").fill(process.env.USER_NAME ?? "demo");
        await page.getByTestId("password").fill(process.env.PASSWORD ?? "quanyu-demo");
        await page.getByTestId("sign-in").click();
        await page.waitForURL((url) => !url.pathname.startsWith("/login"));
        context.signedIn = true;
      }
      await page.goto(`${base}${path}`);
      await page.waitForLoadState("networkidle").catch(() => undefined);
      await page.waitForTimeout(500);
      await page.screenshot({ path: `${out}/${name}-${language}-${width}.png`, fullPage: true });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) console.log(`${name} ${language} ${width}: ${wide} px wider than the screen`);
      if (process.env.AXE === "0") continue;
      await page.evaluate(axe);
      const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa"] }));
      violations += found.violations.length;
      for (const item of found.violations)
        console.log(`${name} ${language} ${width}: ${item.impact} ${item.id} ×${item.nodes.length} ${item.nodes.slice(0, 3).map((node) => `${node.target} ${node.any[0]?.message ?? ""}`).join(" | ").slice(0, 420)}`);
    }
    await context.close();
  }
}
await browser.close();
console.log(`${violations} axe violations`);
