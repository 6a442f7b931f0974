// What a lab without devices shows, and how it is left behind.

import assert from "node:assert/strict";
import { checksFor } from "./pages.mjs";
import { emptyPlaces } from "./places.mjs";

/** @type {[string, (tools: any) => Promise<any>][]} */
export const checks = [
  ...checksFor(emptyPlaces),
  ["the browser had nothing to complain about", async ({ complaints }) => {
    assert.deepEqual(complaints, []);
  }],
];
