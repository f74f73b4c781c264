// The pack's routes in ComfyUI's server: JSON both ways, with the header that tells our page from any other.
import { apiUrl, fetchApi } from "./comfyui.mjs";

const ROOT = "/grok_imagine";

/** A page of another site cannot send it without asking, and the server is not asked: see nodes/routes/security.py. */
export const HEADER = "X-Grok-Imagine";

/** An error answer, or no answer. `kind` is the engine's error class, or our "Unreachable". */
export class ApiError extends Error {
  /** @param {string} message @param {string} kind @param {number} status */
  constructor(message, kind, status) {
    super(message);
    this.name = "ApiError";
    this.kind = kind;
    this.status = status;
  }
}

/**
 * Read: a GET below /grok_imagine, which changes nothing.
 * @param {string} path such as "/jobs?limit=100"
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<any>} the answer's JSON
 */
export const get = (path, { signal } = {}) => send(path, { method: "GET", signal });

/**
 * Act: a POST below /grok_imagine.
 * @param {string} path such as "/jobs/20261121-101500-3f9a2c7b/resume"
 * @param {Record<string, unknown>} [body]
 * @returns {Promise<any>} the answer's JSON
 */
export const post = (path, body = {}) =>
  send(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

/** The address of a picture or a clip below /grok_imagine, for an element's src. @param {string} path without a query */
export const mediaUrl = (path) => apiUrl(ROOT + path);

/** @param {string} path @param {RequestInit} options */
async function send(path, options) {
  let answer;
  try {
    answer = await fetchApi(ROOT + path, { ...options, headers: { ...options.headers, [HEADER]: "1" } });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("", "Unreachable", 0);
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok && body !== null) return body;
  throw new ApiError(body?.error?.message ?? `HTTP ${answer.status}`, body?.error?.kind ?? "", answer.status);
}
