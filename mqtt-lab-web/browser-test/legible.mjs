// What a reader cannot read: text that is cut or spills out of its box, words that nobody translated.

/** @typedef {import("playwright-core").Page} Page */

/** How far the page is wider than its window, in px. @param {Page} page */
export const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

/** Elements that hide a part of what they hold, and texts that leave their card. An ellipsis is fine where a title
 * tells the whole. @param {Page} page @returns {Promise<string[]>} */
export const cutTexts = (page) => page.evaluate(() => {
  const BOXES = ".card, .part, dialog, #header, #lab-notice > div, .placeholder, .page-head, .group";
  const SCROLLS = new Set(["auto", "scroll"]);
  const HIDES = new Set(["hidden", "clip"]);
  /** @param {Element} element */
  const name = (element) => `${element.tagName.toLowerCase()}${element.id && `#${element.id}`}.${element.getAttribute("class") ?? ""} “${(element.textContent ?? "").slice(0, 60)}”`;
  /** Words for screen readers alone. @param {Element | null} element @returns {boolean} */
  const unseen = (element) => Boolean(element && (getComputedStyle(element).clipPath === "inset(50%)" || unseen(element.parentElement)));
  /** @type {string[]} */
  const found = [];
  for (const element of document.body.querySelectorAll("*")) {
    if (!(element instanceof HTMLElement) || !element.checkVisibility() || unseen(element)) continue;
    const style = getComputedStyle(element);
    const wide = HIDES.has(style.overflowX) && element.scrollWidth > element.clientWidth + 1;
    const high = HIDES.has(style.overflowY) && element.scrollHeight > element.clientHeight + 1;
    const told = style.textOverflow === "ellipsis" && element.closest("[title]") && !high;
    if ((wide || high) && !told && element.clientWidth > 0) found.push(`cut: ${name(element)}`);
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = /** @type {HTMLElement} */ (node.parentElement);
    if (!node.textContent?.trim() || !parent.checkVisibility() || parent.closest("option, #skip") || unseen(parent)) continue;
    let box = /** @type {Element | null} */ (parent);
    while (box && !box.matches(BOXES) && !SCROLLS.has(getComputedStyle(box).overflowX) && !HIDES.has(getComputedStyle(box).overflowX)) box = box.parentElement;
    if (!box?.matches(BOXES)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const text = range.getBoundingClientRect();
    const frame = box.getBoundingClientRect();
    if (text.right > frame.right + 1 || text.left < frame.left - 1) found.push(`spills: ${name(parent)}`);
  }
  return [...new Set(found)];
});

/** Shown keys without words, and words of the other language.
 * @param {Page} page @param {Record<string, string>} own @param {Record<string, string>} other
 * @returns {Promise<string[]>} */
export async function untranslated(page, own, other) {
  const keys = new Set(Object.keys(own));
  const ownWords = new Set(Object.values(own));
  const foreign = new Set(Object.entries(other).filter(([key, words]) => own[key] !== words && !ownWords.has(words)).map(([, words]) => words));
  const shown = await page.evaluate(() => {
    // What devices and topics say is nobody's to translate.
    const FOREIGN = "code, pre, .topic-name, .topic-preview, [lang], #announcer";
    const texts = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (!node.parentElement?.closest(FOREIGN)) texts.push(node.textContent ?? "");
    }
    for (const element of document.querySelectorAll("[title], [aria-label], [placeholder]")) {
      if (element.matches(FOREIGN)) continue;
      for (const attribute of ["title", "aria-label", "placeholder"]) texts.push(element.getAttribute(attribute) ?? "");
    }
    return texts.map((text) => text.trim()).filter(Boolean);
  });
  return [...new Set(shown.filter((text) => keys.has(text) && own[text] !== text || foreign.has(text)))];
}
