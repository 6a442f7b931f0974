// Asks the lab again and again while its page is open and seen.

/** Does `work` at once, every `everyMs`, and whenever `now` is called; never twice at a time.
 * @param {() => Promise<void>} work @param {number} everyMs @param {AbortSignal} signal */
export function repeat(work, everyMs, signal) {
  let timer = 0;
  /** @type {Promise<void> | null} */
  let running = null;
  /** @type {Promise<void> | null} asked for while one was running, and perhaps too late for that */
  let next = null;
  /** @returns {Promise<void>} */
  function now() {
    clearTimeout(timer);
    if (signal.aborted || document.hidden) return Promise.resolve();
    if (running) return next ??= running.then(() => { next = null; return now(); });
    running = work().catch(() => {}).then(() => {
      running = null;
      if (!signal.aborted) timer = setTimeout(now, everyMs);
    });
    return running;
  }
  document.addEventListener("visibilitychange", now, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  return { now };
}
