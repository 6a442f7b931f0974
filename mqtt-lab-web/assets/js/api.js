// The HTTP API: one function per call. docs/http-api.md is the contract.

import { learn } from "./clock.js";

/** A refused call: `status` 0 means that the server could not be reached. */
export class ApiError extends Error {
  /** @param {number} status @param {string} detail */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

let locked = false;
let unauthorized = () => {};

/** Sets what happens when the server wants a token; it may have said so already. @param {() => void} handler */
export function onUnauthorized(handler) {
  unauthorized = handler;
  if (locked) handler();
}

/**
 * @param {string} path below `/api/v1/`
 * @param {RequestInit} [init]
 * @returns {Promise<any>} the decoded body, null when there is none
 */
async function call(path, init) {
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, init);
  } catch {
    throw new ApiError(0, "");
  }
  learn(response.headers.get("date"));
  if (response.status === 401 && path !== "login") {
    locked = true;
    unauthorized();
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, await problemWords(body) ?? response.statusText);
  return body;
}

/** The words of a refused call. @param {any} body @returns {Promise<string | undefined>} */
const problemWords = (body) => import("./problem.js").then(({ inWords }) => inWords(body), () => body?.detail);

/** @param {string} method @param {string} path @param {unknown} body */
function send(method, path, body) {
  return call(path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

/** A name in a path. Browsers take `.` and `..` out of an address, however they are encoded. @param {string} name */
const segment = (name) => encodeURIComponent(/^(~|\.\.?$)/.test(name) ? `~${name}` : name);

/** @param {{group: string, id: string}} device */
const devicePath = ({ group, id }) => `devices/${segment(group)}/${segment(id)}`;

export const lab = () => call("lab");
export const devices = () => call("devices");
export const device = (/** @type {any} */ of) => call(devicePath(of));
export const states = (/** @type {any} */ of, limit = 100) => call(`${devicePath(of)}/states?limit=${limit}`);
export const commands = (/** @type {any} */ of, limit = 50) => call(`${devicePath(of)}/commands?limit=${limit}`);
export const boots = (/** @type {any} */ of) => call(`${devicePath(of)}/boots`);
export const plug = (/** @type {any} */ of) => call(`${devicePath(of)}/plug`);
/** @param {any} of @param {string} way */
export const pull = (of, way) => send("POST", `${devicePath(of)}/plug`, { plug: way });
export const command = (/** @type {string} */ id) => call(`commands/${segment(id)}`);
/** Topics heard after the message with number `since`, each with its last message. @param {number} since */
export const topics = (since) => call(`topics?since=${since}&limit=20000`);
export const topicMessage = (/** @type {string} */ topic) => call(`topics/message?topic=${encodeURIComponent(topic)}`);
export const publish = (/** @type {{topic: string, payload: string, qos: number, retain: boolean}} */ message) =>
  send("POST", "publish", message);
export const removeRetained = (/** @type {string} */ topic) =>
  call(`topics/retained?topic=${encodeURIComponent(topic)}`, { method: "DELETE" });
/** The users' own control variables. */
export const variables = () => call("variables");
/** @param {any} of */
const variablePath = ({ group, id }) => `variables/${segment(group)}/${segment(id)}`;
export const createVariable = (/** @type {any} */ variable) => send("POST", "variables", variable);
/** @param {any} of @param {any} change */
export const changeVariable = (of, change) => send("PATCH", variablePath(of), change);
export const deleteVariable = (/** @type {any} */ of) => call(variablePath(of), { method: "DELETE" });
/** The broker's clients whose id or filters have `words` in them. @param {string} words @param {number} limit */
export const clients = (words, limit) => call(`clients?search=${encodeURIComponent(words)}&limit=${limit}`);
/** Every part of the lab, and what was set aside. */
export const parts = () => call("parts");
export const setAside = () => call("set-aside");
export const logout = () => call("logout", { method: "POST" });
export const login = (/** @type {string} */ token) => send("POST", "login", { token });

/** Renames or hides. @param {any} of @param {{name?: string | null, hidden?: boolean}} change */
export const patch = (of, change) => send("PATCH", devicePath(of), change);

/** Describes a channel that its device does not describe; `null` takes back. @param {any} of @param {string} channel
 * @param {{datatype?: string | null, unit?: string | null, quantity?: string | null, label?: string | null, choices?: string[] | null}} change */
export const describe = (of, channel, change) => send("PATCH", `${devicePath(of)}/channels/${segment(channel)}`, change);

/** Sends a command; answers with the pending command. @param {any} of @param {string} channel @param {unknown} value */
export const set = (of, channel, value) =>
  send("POST", `${devicePath(of)}/${segment(channel)}/set`, { value });

/** Every visible series' last `windowMs`, in one call. @param {number} windowMs @param {number} maxPoints */
export const recent = (windowMs, maxPoints) => call(`recent?window_ms=${windowMs}&max_points=${maxPoints}`);

/** @param {number} series @param {number} fromMs @param {number} toMs @param {number} maxPoints */
export const points = (series, fromMs, toMs, maxPoints) =>
  call(`series/${series}/points?from_ms=${Math.floor(fromMs)}&to_ms=${Math.ceil(toMs)}&max_points=${maxPoints}`);
