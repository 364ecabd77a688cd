// Weighs what each route loads from a cold cache, in brotli KB: node dev/weigh.mjs BUILD_DIR BASE, with `vite preview` and a server running.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { chromium } from "playwright-core";

const [build, base] = process.argv.slice(2);
const LIMITS = { "/login": 270, "/overview": 450, "/people": 330, "/events": 330, "/sources": 330, "/audiences": 330, "/audiences/new": 330, "/journeys": 330, "/sends": 330, "/settings": 330 };
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
const first = await browser.newContext();
const page = await first.newPage();
await page.goto(`${base}/login`);
await page.evaluate(() => fetch("/api/v1/session", { method: "DELETE" }));
const cookies = [];
let over = 0;
for (const [route, limit] of Object.entries(LIMITS)) {
  if (process.env.ROUTES && route !== "/login" && !process.env.ROUTES.split(",").includes(route)) continue;
  if (route !== "/login" && !cookies.length) {
    await page.goto(`${base}/login`);
    await page.getByTestId("username").fill(process.env.USER_NAME ?? "demo");
    await page.getByTestId("password").fill(process.env.PASSWORD ?? "quanyu-demo");
    await page.getByTestId("sign-in").click();
    await page.waitForURL((url) => !url.pathname.startsWith("/login"));
    cookies.push({ name: "signed_in", value: "1", url: base }, ...(await first.cookies()));
  }
  const context = await browser.newContext();
  if (cookies.length) await context.addCookies(cookies);
  const tab = await context.newPage();
  const files = new Set();
  tab.on("response", (answer) => {
    const { pathname } = new URL(answer.url());
    if (/\.(js|css)$/.test(pathname)) files.add(pathname);
  });
  await tab.goto(base + route);
  await tab.waitForLoadState("networkidle").catch(() => undefined);
  await tab.waitForTimeout(4000);
  const bytes = [...files].reduce((sum, file) => sum + brotliCompressSync(readFileSync(join(build, file))).length, 0);
  if (process.env.SHOW) console.log([...files].map((file) => [brotliCompressSync(readFileSync(join(build, file))).length, file]).sort((a, b) => b[0] - a[0]).slice(0, 22).map(([size, file]) => `    ${(size / 1024).toFixed(1)} ${file}`).join("\n"));
  const heavy = bytes / 1024 > limit;
  over += Number(heavy);
  console.log(`${route.padEnd(16)} ${String(files.size).padStart(3)} files ${(bytes / 1024).toFixed(0).padStart(4)} KB of ${limit}${heavy ? "  OVER" : ""}`);
  await context.close();
}
await browser.close();
process.exitCode = over ? 1 : 0;
