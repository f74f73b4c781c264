// The connections and their capabilities, shared by all nodes and fetched again when they may have changed.
import { api } from "../../../../scripts/api.js";
import { get, post } from "../shared/api.mjs";

/** @typedef {{dialect: string, is_sandbox: boolean, has_key: boolean}} Connection */
/** @typedef {{connection: string, model: string, mode: string, count: number, median: number, low: number,
 *             high: number}} UsualTime */

/** @type {{connections: Record<string, Connection>, dialects: Record<string, import("./limits.mjs").Dialect>,
 *          times: UsualTime[], fault?: string} | null} */
let known = null;
/** @type {Set<() => void>} */
const listeners = new Set();

/** What is known; null until the server has answered. */
export const capabilities = () => known;

/** Call `listener` whenever they have changed. @param {() => void} listener */
export const onChange = (listener) => void listeners.add(listener);

/** Ask the server. A page that cannot reach it keeps what it knows: the nodes still work, without checks. */
export async function refresh() {
  try {
    known = await get("/capabilities");
  } catch (error) {
    console.warn("Grok Imagine Video: could not load the connections.", error);
    return;
  }
  for (const listener of listeners) listener();
}

/** Say that this page shows progress on the nodes itself, so that the server sends no text for it. */
export async function registerPage() {
  const name = api.clientId ?? api.initialClientId;
  if (name) await post("/face", { client_id: name }).catch(() => {});
}

/** How long the clips of that connection took this user; null before the first.
 * @param {string} connection @param {string | undefined} mode @returns {UsualTime | null} */
export function usual(connection, mode) {
  const fitting = known?.times.filter((one) => one.connection === connection && (!mode || one.mode === mode)) ?? [];
  return fitting.sort((one, other) => other.count - one.count)[0] ?? null;
}
