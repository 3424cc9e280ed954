// The appearance of the page: the contrast of its texts, and screenshots.

import { join } from "node:path";

/** With SCREENSHOTS=folder, saves a picture of the whole page there. */
export async function picture(page, name) {
  if (!process.env.SCREENSHOTS) return;
  const { height, width } = page.viewportSize();
  const full = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width, height: full });
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
  await page.setViewportSize({ width, height });
}

/**
 * Runs in the page. Returns the texts whose contrast to their background is below WCAG's 4.5; of a gradient, each colour counts.
 */
export function faint() {
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => {
    const [red, green, blue] = color.map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const isSeen = (color) => color.length === 3 || color[3] > 0;
  const behind = (element) => {
    const { backgroundColor, backgroundImage } = getComputedStyle(element);
    const colors = [backgroundColor, ...(backgroundImage.match(/rgba?\([^)]*\)/g) ?? [])].map(parse).filter(isSeen);
    return colors.length ? colors : behind(element.parentElement);
  };
  const contrast = (one, other) => {
    const [dark, light] = [one, other].map((color) => luminance(color.slice(0, 3))).sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  return [...document.body.querySelectorAll("*")]
    .filter((element) => element.checkVisibility() && (hasText(element) || element.matches("input, textarea")))
    .map((element) => {
      const color = parse(getComputedStyle(element).color);
      const least = Math.min(...behind(element).map((ground) => contrast(color, ground)));
      return { text: (element.value || element.textContent).trim().slice(0, 40), contrast: least };
    })
    .filter(({ contrast }) => contrast < 4.5);
}
