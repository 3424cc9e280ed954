// The name of a device, by which its owner recognises it in the list.

/** The first match is the browser: most browsers also name Chrome and Safari, whose pages they want to get. */
const BROWSERS: [name: string, pattern: RegExp][] = [
  ["Edge", /\bEdg(e|A|iOS)?\//],
  ["Opera", /\bOPR\//],
  ["Samsung Internet", /\bSamsungBrowser\//],
  ["Firefox", /\b(Firefox|FxiOS)\//],
  ["Chrome", /\b(Chrome|CriOS)\//],
  ["Safari", /\bVersion\/.* Safari\//],
];

/** The first match is the system: Android also names Linux. An iPad that asks for desktop pages says that it is a Macintosh. */
const SYSTEMS: [name: string, pattern: RegExp][] = [
  ["iPhone", /\biPhone\b/],
  ["iPad", /\biPad\b/],
  ["Android", /\bAndroid\b/],
  ["Windows", /\bWindows\b/],
  ["ChromeOS", /\bCrOS\b/],
  ["macOS", /\bMacintosh\b/],
  ["Linux", /\bLinux\b/],
];

/**
 * Returns browser and system, such as "Firefox on Linux", as far as the `User-Agent` header names them. The header is what the browser
 * claims: show the name, and decide nothing by it.
 */
export function deviceName(userAgent: string | null): string {
  const found = (list: [name: string, pattern: RegExp][]) => list.find(([, pattern]) => pattern.test(userAgent ?? ""))?.[0];
  const [browser, system] = [found(BROWSERS), found(SYSTEMS)];
  if (browser && system) return `${browser} on ${system}`;
  return browser ?? (system ? `Unknown browser on ${system}` : "Unknown device");
}
