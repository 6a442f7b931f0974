// Live messages: one WebSocket per page, reopened with a growing delay.

const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 15_000;
// The server speaks once a second; a longer silence is a dead connection the browser has not noticed.
const SILENCE_MS = 8_000;

/**
 * Calls `onMessage` for each message and `onState` on each change of the connection, for the life of the page.
 * @param {(message: any) => void} onMessage
 * @param {(state: "live" | "reconnecting") => void} onState
 */
export function watch(onMessage, onState) {
  let delayMs = FIRST_DELAY_MS;
  let retry = 0;
  let silence = 0;
  /** @type {WebSocket | null} */
  let socket = null;

  function open() {
    clearTimeout(retry);
    const mine = new WebSocket(new URL("/api/v1/live", location.href.replace(/^http/, "ws")));
    socket = mine;
    listen(mine);
    mine.onmessage = (event) => {
      listen(mine);
      delayMs = FIRST_DELAY_MS;
      onState("live");
      onMessage(JSON.parse(event.data));
    };
    mine.onclose = () => gone(mine);
  }

  /** @param {WebSocket} mine */
  function listen(mine) {
    clearTimeout(silence);
    silence = setTimeout(() => { mine.close(); gone(mine); }, SILENCE_MS);
  }

  /** @param {WebSocket} mine */
  function gone(mine) {
    if (mine !== socket) return;
    socket = null;
    clearTimeout(silence);
    onState("reconnecting");
    // Jitter: a class of browsers must not come back in one instant.
    retry = setTimeout(open, delayMs * (0.5 + Math.random() / 2));
    delayMs = Math.min(delayMs * 2, LAST_DELAY_MS);
  }

  const hurry = () => { if (!socket && !document.hidden) open(); };
  addEventListener("online", hurry);
  document.addEventListener("visibilitychange", hurry);
  open();
}
