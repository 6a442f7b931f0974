// The groups of the dashboard: a heading each, which folds it, and the grid of its cards. Of a large group only the
// beginning is in the page, and more when one comes to its end: thousands of cards would make every change slow.

import { arrange, el, setText } from "./dom.js";
import { count } from "./format.js";
import { t } from "./i18n.js";

/** Places in the page at first, of all groups together, and of one group at least. */
const FIRST_PLACES = 240;
const FEWEST_PLACES = 12;
/** So many stand in the first window of a projector: they are filled without waiting. */
const AT_ONCE = 24;

/** @typedef {import("./store.js").Device} Device */
/** @typedef {(device: Device, atOnce: boolean) => HTMLElement} PlaceOf */

/** @type {Set<string>} what stays folded when the page is built again */
const folded = new Set();

/** @param {PlaceOf} placeOf @param {AbortSignal} signal */
export function cardGroups(placeOf, signal) {
  const element = el("div", { class: "groups" });
  /** @type {Map<string, ReturnType<typeof group>>} */
  const groups = new Map();
  const ends = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) if (isIntersecting) /** @type {HTMLElement} */ (target).click();
  }, { rootMargin: "100% 0px" });
  signal.addEventListener("abort", () => ends.disconnect());
  return {
    element,
    /** @param {Device[]} devices by group */
    show(devices) {
      /** @type {Map<string, Device[]>} */
      const members = new Map();
      for (const device of devices) {
        const known = members.get(device.group);
        if (known) known.push(device);
        else members.set(device.group, [device]);
      }
      const first = Math.max(FEWEST_PLACES, Math.floor(FIRST_PLACES / members.size));
      let atOnce = AT_ONCE;
      arrange(element, [...members].map(([name, own]) => {
        const known = groups.get(name) ?? group(name, placeOf, ends);
        groups.set(name, known);
        known.show(own, { first, titled: members.size > 1, atOnce });
        atOnce -= own.length;
        return known.element;
      }));
    },
  };
}

/** @param {string} name @param {PlaceOf} placeOf @param {IntersectionObserver} ends */
function group(name, placeOf, ends) {
  const grid = el("div", { class: "grid" });
  const size = el("span", { class: "quiet" });
  const fold = el("button", { type: "button", class: "fold", onclick: toggle }, el("span", { class: "twisty", "aria-hidden": "true" }), name, " ", size);
  const title = el("h2", {}, fold);
  const more = el("button", { type: "button", class: "more-cards", onclick: extend });
  /** @type {Device[]} */
  let members = [];
  let extra = 0;
  let view = { first: 0, titled: false, atOnce: 0 };

  function toggle() {
    if (!folded.delete(name)) folded.add(name);
    paint();
  }

  function extend() {
    extra += FIRST_PLACES;
    paint();
  }

  function paint() {
    const isFolded = view.titled && folded.has(name);
    const shown = isFolded ? [] : members.slice(0, view.first + extra);
    grid.hidden = isFolded;
    fold.setAttribute("aria-expanded", String(!isFolded));
    arrange(grid, shown.map((device, index) => placeOf(device, index < view.atOnce)));
    const left = isFolded ? 0 : members.length - shown.length;
    more.hidden = left === 0;
    setText(more, t("dashboard.more", { count: count(left) }));
    // Observed anew: it is told again when it is still near after the group has grown.
    ends.unobserve(more);
    if (left) ends.observe(more);
  }

  return {
    element: el("section", { class: "group", "aria-label": name }, title, grid, more),
    /** @param {Device[]} devices @param {typeof view} next `titled`: it stands among others */
    show(devices, next) {
      [members, view] = [devices, next];
      title.hidden = !view.titled;
      setText(size, count(members.length));
      paint();
    },
  };
}
