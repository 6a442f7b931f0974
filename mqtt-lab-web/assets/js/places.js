// Where cards stand: every device has a place, and those near the window are filled. A lab may have thousands.

import { card, signature } from "./card.js";
import { el } from "./dom.js";
import { deviceName } from "./names.js";
import { keyOf } from "./store.js";

/** More than these are not kept filled when they are out of sight. */
const MOST_FILLED = 200;
/** How far from the window a place is filled, in window heights. */
const NEAR = "100%";

/** @typedef {import("./store.js").Device} Device */

/** @param {(key: string) => Device | undefined} find @param {(element: HTMLElement) => void} onFilled @param {AbortSignal} signal */
export function cardPlaces(find, onFilled, signal) {
  /** @type {Map<string, ReturnType<typeof place>>} */
  const places = new Map();
  /** @type {Set<ReturnType<typeof place>>} in the order in which they were filled */
  const filled = new Set();

  const near = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      const known = places.get(/** @type {HTMLElement} */ (target).dataset.device ?? "");
      if (!known) continue;
      known.near = isIntersecting;
      if (isIntersecting) fill(known);
    }
    tidy();
  }, { rootMargin: `${NEAR} 0px` });
  signal.addEventListener("abort", () => {
    near.disconnect();
    for (const known of filled) known.empty();
  });

  /** @param {ReturnType<typeof place>} known */
  function fill(known) {
    const device = find(known.key);
    if (!device) return;
    known.fill(device);
    if (filled.has(known)) return;
    filled.add(known);
    onFilled(known.element);
  }

  /** Empties what is long out of sight, but nothing that a person is at. */
  function tidy() {
    for (const known of filled) {
      if (filled.size <= MOST_FILLED) return;
      if (known.near || known.element.contains(document.activeElement)) continue;
      known.empty();
      filled.delete(known);
    }
  }

  return {
    /** Gives up the places of devices that are not among these. @param {Device[]} all */
    keep(all) {
      const keys = new Set(all.map(keyOf));
      for (const [key, known] of places) {
        if (keys.has(key)) continue;
        near.unobserve(known.element);
        known.empty();
        filled.delete(known);
        places.delete(key);
      }
    },
    /** The place of a device. @param {Device} device @param {boolean} atOnce whether it is filled without waiting */
    of(device, atOnce) {
      const key = keyOf(device);
      let known = places.get(key);
      if (!known) {
        places.set(key, (known = place(device)));
        near.observe(known.element);
      }
      if (atOnce) fill(known);
      return known.element;
    },
    /** The card of a device, null while its place is empty or it is not shown. @param {string} key */
    card: (key) => {
      const known = places.get(key);
      return known?.element.isConnected ? known.card() : null;
    },
    /** Builds the card again if it is made of something else now. @param {Device} device */
    renew(device) {
      const known = places.get(keyOf(device));
      if (known?.card()) known.fill(device);
    },
    filled: () => [...filled].map(({ key }) => key),
  };
}

/** @param {Device} device */
function place(device) {
  const key = keyOf(device);
  const element = el("article", { class: "card", "aria-label": deviceName(device), data: { device: key } });
  /** @type {ReturnType<typeof card> | null} */
  let shown = null;
  return {
    key,
    element,
    near: false,
    card: () => shown,
    /** @param {Device} next */
    fill(next) {
      if (shown?.signature === signature(next)) return;
      shown?.remove();
      shown = card(element, next);
      shown.update(next);
      element.ariaLabel = deviceName(next);
      element.style.minHeight = "";
    },
    empty() {
      if (!shown) return;
      // What stands below must not move up.
      if (element.isConnected) element.style.minHeight = `${element.offsetHeight}px`;
      shown.remove();
      shown = null;
    },
  };
}
