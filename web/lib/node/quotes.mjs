// The quotes of nodes, as POST /grok_imagine/quote gives them: what is unsupported, what can be chosen, the price. Nodes
// that change within a moment are asked for together.
import { post } from "../shared/api.mjs";
import { clientId } from "../shared/comfyui.mjs";

const PAUSE = 150;

/**
 * @typedef {{median: number, low: number, high: number, count: number}} UsualTime
 * @typedef {object} Violation
 * @property {string} field the widget, or "images"
 * @property {string} reason which sentence says it; "" where only `message` does
 * @property {Record<string, string | number>} values what goes into the sentence
 * @property {string} message in English
 * @property {boolean} is_warning it runs, but perhaps not as meant
 * @property {{field: string, value: string | number}[]} fixes
 * @typedef {{clips: number | null, is_free: boolean, provider: string | null, usd: string | null,
 *            credits: string | null}} Price
 * @typedef {{provider: string | null, is_sandbox: boolean, mode: string | null, violations: Violation[],
 *            choices: Record<string, any> | null, price: Price | null, usual: UsualTime | null}} Quote
 * @typedef {{node: string, values: Record<string, unknown>, images: number, is_exact: boolean}} NodeValues
 */

/** @type {Map<object, {values: NodeValues, take: (quote: Quote, connections: string[]) => void}>} */
const waiting = new Map();
/** @type {Set<() => void>} */
const listeners = new Set();
let timer = 0;
let asked = 0;

/** Ask for the quote of `node` soon. A later request for the same node replaces this one.
 * @param {object} node @param {NodeValues} values @param {(quote: Quote, connections: string[]) => void} take */
export function requestQuote(node, values, take) {
  waiting.set(node, { values, take });
  clearTimeout(timer);
  timer = window.setTimeout(send, PAUSE);
}

/** Call `listener` whenever quotes may have changed though no node has. @param {() => void} listener */
export const onChange = (listener) => void listeners.add(listener);

/** The settings may have changed: every node asks again. */
export function refresh() {
  for (const listener of listeners) listener();
}

/** Whether every quote that was asked for has come. */
export const isSettled = () => waiting.size === 0 && asked === 0;

/** A page that cannot reach the server keeps what it knows: the nodes still work, without checks. */
async function send() {
  const batch = [...waiting.values()];
  waiting.clear();
  asked += 1;
  try {
    const { quotes, connections } = await post("/quote", { nodes: batch.map(({ values }) => values) });
    batch.forEach(({ take }, index) => take(quotes[index], connections));
  } catch (error) {
    console.warn("Grok Imagine Video: could not load the limits and prices.", error);
  } finally {
    asked -= 1;
  }
}

/** Say that this page shows progress on the nodes itself, so that the server sends no text for it. */
export async function registerPage() {
  const name = clientId();
  if (name) await post("/face", { client_id: name }).catch(() => {});
}
