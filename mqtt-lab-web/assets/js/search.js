// The search of the dashboard: which devices are shown.

import { el, setText } from "./dom.js";
import { t } from "./i18n.js";

/** With fewer devices a look is quicker than a search. */
const WORTH_IT = 5;

let words = "";

/** @type {WeakMap<import("./store.js").Device, string>} a device that changes is another object */
const texts = new WeakMap();

/** What a device can be found by. @param {import("./store.js").Device} device */
function text(device) {
  let known = texts.get(device);
  if (known === undefined) {
    known = [
      device.name, device.label, device.group, device.id, device.kind, device.state,
      ...device.channels.flatMap(({ name, label, quantity }) => [name, label, quantity]),
    ].filter(Boolean).join(" ").toLowerCase();
    texts.set(device, known);
  }
  return known;
}

/** The devices that have every word. @param {import("./store.js").Device[]} devices */
export function matching(devices) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return wanted.length ? devices.filter((device) => wanted.every((word) => text(device).includes(word))) : devices;
}

/** The field; `changed` is called when other devices match. @param {() => void} changed @param {AbortSignal} signal */
export function search(changed, signal) {
  const take = () => {
    if (words === input.value) return;
    words = input.value;
    changed();
  };
  const input = el("input", {
    type: "search", id: "search", autocomplete: "off", spellcheck: "false", "aria-keyshortcuts": "/",
    placeholder: t("search.placeholder"), oninput: take,
    onkeydown: (/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") { input.value = ""; take(); } },
  });
  input.value = words;
  const count = el("output", { for: "search" });
  const element = el("p", { class: "search", role: "search" }, el("label", { for: "search" }, t("search.label")), input, count);
  document.addEventListener("keydown", (event) => {
    const typing = /** @type {Element} */ (event.target).closest("input, select, textarea");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    input.focus();
  }, { signal });
  return {
    element,
    /** @param {number} shown @param {number} all */
    update(shown, all) {
      element.hidden = all < WORTH_IT && !words;
      setText(count, words.trim() ? t("search.count", { shown, all }) : "");
    },
  };
}

/** What stands where no device matches. */
export const nothingFound = () => el("div", { class: "placeholder", role: "status" },
  el("h2", {}, t("search.nothing", { words: words.trim() })),
  el("p", {}, t("search.nothing.explain")));
