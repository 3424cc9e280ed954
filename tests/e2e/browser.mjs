// Chromium for a test, driven by Playwright. scripts/test.mjs sets its path in CHROME.

import { chromium } from "playwright-core";

export function launch() {
  const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
  const calm = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
  return chromium.launch({ executablePath: process.env.CHROME ?? "/usr/bin/chromium", args: [...args, ...calm] });
}
