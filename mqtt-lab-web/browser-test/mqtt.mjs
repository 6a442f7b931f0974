// Publishes as a foreign client does.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

/** @param {string | undefined} broker host:port @param {string} topic @param {string} payload @param {...string} options of mosquitto_pub
 * @returns {string | null} why it was not published */
export function publish(broker, topic, payload, ...options) {
  if (!broker) return "LAB_BROKER is not set";
  const [host, port] = broker.split(/:(?=\d+$)/);
  const { error, status, stderr } = spawnSync("mosquitto_pub", ["-h", host, "-p", port, "-t", topic, "-m", payload, "-q", "1", ...options]);
  if (error) return "mosquitto_pub is not installed";
  assert.equal(status, 0, `mosquitto_pub: ${stderr}`);
  return null;
}
