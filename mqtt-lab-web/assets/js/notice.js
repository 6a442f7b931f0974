// The notice at the lower edge: why what is shown may not be true now.

import { el, icon, setText } from "./dom.js";
import { time } from "./format.js";
import { t } from "./i18n.js";
import { on, state } from "./store.js";

/** Fills the notice. @param {HTMLElement} notice @param {AbortSignal} signal */
export function mountNotice(notice, signal) {
  const words = el("p");
  const list = el("ul");
  /** @type {Awaited<ReturnType<import("./notice-parts.js").noticeParts>> | null} */
  let parts = null;
  notice.replaceChildren(icon("lost"), words, list);

  function show() {
    document.body.dataset.connection = state.connection;
    const unreachable = state.connection === "reconnecting";
    setText(words, unreachable ? unreachableWords() : "");
    words.hidden = !unreachable;
    const failing = !unreachable && isFailing(state.lab);
    if (failing && !parts) load().catch(() => {});
    parts?.show(failing);
    notice.hidden = !unreachable && !(failing && parts);
  }

  /** Parts seldom fail: what names them is fetched when the first one does, and again a second later if it does not come. */
  async function load() {
    const { noticeParts } = await import("./notice-parts.js");
    const loaded = await noticeParts(list);
    if (parts || signal.aborted) return;
    parts = loaded;
    notice.append(parts.link);
    show();
  }

  // What ends behind the notice can be scrolled above it, however high it is.
  const sizes = new ResizeObserver(() => document.documentElement.style.setProperty("--notice", `${notice.offsetHeight}px`));
  sizes.observe(notice);
  signal.addEventListener("abort", () => sizes.disconnect());
  on("lab", show, signal);
  on("connection", show, signal);
  show();
}

const unreachableWords = () => (state.loaded ? t("notice.stale", { time: time(state.lastLiveMs) }) : t("notice.unreachable"));

/** @param {any} lab */
const isFailing = (lab) => lab && (!lab.broker.connected || lab.parts.some((/** @type {any} */ part) => part.error !== null));
