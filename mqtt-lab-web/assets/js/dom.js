// Elements by call. Foreign text enters the page only through here, as text nodes.

// Persian, emoji and flags need the others.
const HIDDEN = /(?![\t\n\r\xad\u200c\u200d\u{e0020}-\u{e007f}])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Shows hidden characters. @param {string} text */
export const visible = (text) => text.replace(HIDDEN, "\ufffd");

const WORDS = ["title", "aria-label", "placeholder"];
const SVG = "http://www.w3.org/2000/svg";

/**
 * Creates an element. `on…` properties become listeners, `data` the dataset, `true` an empty attribute;
 * `null`, `undefined` and `false` leave the attribute out.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node|string|number|null|undefined)} children
 * @returns {any}
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : WORDS.includes(name) ? visible(String(value)) : String(value));
  }
  for (const child of children) {
    if (child !== null && child !== undefined) element.append(child instanceof Node ? child : visible(String(child)));
  }
  return element;
}

/** A topic or a topic filter, broken at its levels where the line is too short. @param {string} name */
export const topicCode = (name) =>
  el("code", {}, ...name.split(/(?<=\/)/).flatMap((level, index) => (index ? [el("wbr"), level] : [level])));

/** Sets the text only when it differs, so that an unchanged value costs no layout.
 * @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent === text) return;
  const shown = visible(text);
  if (node.textContent !== shown) node.textContent = shown;
}

/** Sets a tooltip. @param {HTMLElement} element @param {string} text */
export function setTitle(element, text) {
  element.title = visible(text);
}

/** Sets a data attribute only when it differs. @param {HTMLElement} element @param {string} key @param {string} value */
export function setData(element, key, value) {
  if (element.dataset[key] !== value) element.dataset[key] = value;
}

/** Puts `children` into `parent` in this order and moves only what is out of place (a move loses the focus).
 * @param {Element} parent @param {Element[]} children */
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  // By neighbours: to find the nth child of thousands after each change would take the square of the time.
  let next = parent.firstElementChild;
  for (const child of children) {
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
}

/** @type {Record<string, {d: string, fill?: boolean, dash?: string}>} 16 × 16, in the text's colour; `fill`: solid */
const ICONS = {
  ready: { d: "M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3z", fill: true },
  init: { d: "M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3z", dash: "2.2 2.2" },
  sleeping: { d: "M10.8 2.6a5.6 5.6 0 1 0 2.9 8A5.2 5.2 0 0 1 10.8 2.6z", fill: true },
  disconnected: { d: "M8 2.8a5.2 5.2 0 1 1 0 10.4A5.2 5.2 0 0 1 8 2.8zM5.2 8h5.6" },
  lost: { d: "M8 2.2 14.4 13.4H1.6zM8 6.4v3.2M8 11.2v.6" },
  unknown: { d: "M5.6 5.9a2.5 2.5 0 1 1 3.6 2.3C8.4 8.6 8 9 8 9.8M8 12.2v.6" },
  pending: { d: "M8 2.8a5.2 5.2 0 1 1 0 10.4A5.2 5.2 0 0 1 8 2.8zM8 5.2V8l2 1.6" },
  confirmed: { d: "M3 8.6 6.4 12 13 4.6" },
  refused: { d: "M4 4l8 8M12 4l-8 8" },
  timed_out: { d: "M4.5 2.5h7M4.5 13.5h7M5.5 2.5c0 3 5 3.5 5 5.5s-5 2.5-5 5.5M10.5 2.5c0 3-5 3.5-5 5.5s5 2.5 5 5.5" },
  reloaded: { d: "M13 8a5 5 0 1 1-1.6-3.7M11.8 1.4v3.2H8.6" },
  info: { d: "M8 2.8a5.2 5.2 0 1 1 0 10.4A5.2 5.2 0 0 1 8 2.8zM8 7.4v3.2M8 5v.4" },
  live: { d: "M1.5 8h3l2-5 3 10 2-5h3" },
  back: { d: "M9.5 3.5 5 8l4.5 4.5" },
};

/** A small decorative icon; the word beside it carries the meaning for screen readers.
 * @param {string} name */
export function icon(name) {
  const shape = ICONS[name] ?? ICONS.unknown;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", shape.d);
  if (shape.fill) path.setAttribute("class", "solid");
  if (shape.dash) path.setAttribute("stroke-dasharray", shape.dash);
  svg.append(path);
  return svg;
}

/** An icon and a word: how every state is shown. @param {HTMLElement} element @param {string} name @param {string} word */
export function setBadge(element, name, word) {
  const shown = visible(word);
  if (element.dataset.state === name && element.textContent === shown) return;
  element.dataset.state = name;
  element.replaceChildren(icon(name), shown);
}
