// What keeps a person out: by the rules of axe-core, and by the Tab key.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** @typedef {import("playwright-core").Page} Page */

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const GRAVE = new Set(["serious", "critical"]);

/** Findings of axe-core that are serious or critical. It is evaluated in the page and is no part of it.
 * @param {Page} page @returns {Promise<string[]>} */
export async function barriers(page) {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const { violations } = await /** @type {any} */ (window).axe.run(document, { resultTypes: ["violations"] });
    return violations.map((/** @type {any} */ { id, impact, nodes }) => ({
      id, impact, nodes: nodes.map((/** @type {any} */ { target, any, all, none }) => `${target} (${[...any, ...all, ...none][0]?.message})`),
    }));
  });
  return violations.filter(({ impact }) => GRAVE.has(impact))
    .map(({ id, impact, nodes }) => `${impact} ${id}, ${nodes.length} times: ${nodes.slice(0, 3).join(" | ")}`);
}

/** Walks through the page by Tab. @param {Page} page
 * @returns {Promise<{count: number, problems: string[]}>} what is not reached, or reached without being seen */
export async function tabWalk(page) {
  await page.evaluate(() => {
    const dialog = document.querySelector("dialog[open]");
    const all = (dialog ?? document.body).querySelectorAll('a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), textarea, [tabindex="0"]');
    const wanted = new Set([...all].filter((element) => element.checkVisibility() && /** @type {HTMLElement} */ (element).tabIndex >= 0));
    /** @type {HTMLElement | null} */ (document.activeElement)?.blur();
    Object.assign(window, { walk: { wanted, reached: new Set(), problems: new Set() } });
  });
  const count = await page.evaluate(() => /** @type {any} */ (window).walk.wanted.size);
  for (let step = 0; step < count * 2 + 10; step += 1) {
    await page.keyboard.press("Tab");
    const left = await page.evaluate(() => {
      const { wanted, reached, problems } = /** @type {any} */ (window).walk;
      const at = document.activeElement;
      const name = (/** @type {Element} */ element) => element.outerHTML.replace(/\s+/g, " ").slice(0, 160);
      if (at && at !== document.body && !reached.has(at)) {
        reached.add(at);
        const style = getComputedStyle(at);
        const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
        if (!seen) problems.add(`no visible focus: ${name(at)}`);
        const box = at.getBoundingClientRect();
        if (box.bottom < 1 || box.top > innerHeight - 1 || box.right < 1 || box.left > innerWidth - 1) problems.add(`focus outside of the window: ${name(at)}`);
        else {
          const top = document.elementFromPoint(Math.min(Math.max(box.x + box.width / 2, 1), innerWidth - 1), Math.min(Math.max(box.y + box.height / 2, 1), innerHeight - 1));
          if (top && !at.contains(top) && !top.contains(at)) problems.add(`focus behind ${name(top)}: ${name(at)}`);
        }
      }
      return [...wanted].filter((element) => element.isConnected && element.checkVisibility() && !reached.has(element)).length;
    });
    if (left === 0) break;
  }
  return page.evaluate(() => {
    const { wanted, reached, problems } = /** @type {any} */ (window).walk;
    const missed = [...wanted].filter((element) => element.isConnected && element.checkVisibility() && !reached.has(element))
      .map((element) => `not reached: ${element.outerHTML.slice(0, 160)}`);
    return { count: reached.size, problems: [...problems, ...missed] };
  });
}
