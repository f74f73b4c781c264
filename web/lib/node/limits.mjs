// What a connection offers for the work of a node, and which of its values it cannot do. Data in, data out.

import { find } from "./tokens.mjs";

export const AUTO = "auto";

/**
 * @typedef {object} Capability one model in one mode, as GET /grok_imagine/capabilities gives it
 * @property {string} model
 * @property {string} mode
 * @property {string[]} aspect_ratios
 * @property {number} ratio_follows_images
 * @property {string[]} resolutions
 * @property {string | null} default_resolution
 * @property {{shortest: number, longest: number, default: number | null} | null} duration
 * @property {string[]} motion_modes
 * @property {number} min_images
 * @property {number} max_images
 * @property {boolean} takes_video
 * @property {boolean} prompt_required
 * @property {number | null} prompt_limit
 * @property {import("./price.mjs").Price | null} price
 *
 * @typedef {{label: string, pricing_url: string | null, tokens: string[], reasons: Record<string, string>,
 *            capabilities: Capability[]}} Dialect
 *
 * @typedef {object} ClipRequest the values of the node's widgets and links, without fields that the node does not have
 * @property {string} [model]
 * @property {string} [mode]
 * @property {string} [prompt]
 * @property {string} [resolution]
 * @property {string} [aspect_ratio]
 * @property {number} [duration] 0: the provider's default
 * @property {string} [motion_mode]
 * @property {number} images how many are known to be connected
 * @property {boolean} isExact whether that is their number, or only the least of it
 *
 * @typedef {object} Fault
 * @property {string} field the widget, or "images"
 * @property {string} word which sentence says it
 * @property {Record<string, string | number>} values what goes into the sentence
 * @property {{field: string, value: string | number}[]} fixes values that would do
 * @property {boolean} [isWarning] it runs, but perhaps not as meant
 */

/** The capability that serves the request, as providers/capability_selection.py chooses it, and what is unsupported.
 * @param {Dialect} dialect @param {string[]} modes those that the node can ask for, the plainest first
 * @param {ClipRequest} request @returns {{capability: Capability | null, faults: Fault[]}} */
export function choose(dialect, modes, request) {
  const offered = dialect.capabilities.filter((one) => modes.includes(one.mode));
  const label = dialect.label;
  if (!offered.length) {
    return { capability: null, faults: [fault("connection", "no_mode", { label, mode: modes[0] })] };
  }
  const stated = request.mode && request.mode !== AUTO ? request.mode : null;
  const mode = stated ?? inferred(offered, request);
  const inMode = offered.filter((one) => one.mode === mode);
  if (!inMode.length) {
    const fixes = unique(offered.map((one) => one.mode)).map((value) => ({ field: "mode", value }));
    return { capability: null, faults: [fault("mode", "no_mode", { label, mode }, fixes)] };
  }
  if (!request.model || request.model === AUTO) return { capability: inMode[0], faults: [] };
  const found = inMode.find((one) => one.model === request.model);
  if (found) return { capability: found, faults: [] };
  const models = unique(inMode.map((one) => one.model));
  const fixes = [AUTO, ...models].map((value) => ({ field: "model", value }));
  const values = { label, value: request.model, choices: models.join(", ") };
  return { capability: inMode[0], faults: [fault("model", "not_offered", values, fixes)] };
}

/** @param {Capability[]} offered @param {ClipRequest} request */
function inferred(offered, request) {
  const most = (/** @type {string} */ mode) =>
    Math.max(-1, ...offered.filter((one) => one.mode === mode).map((one) => one.max_images));
  if (most("reference_to_video") >= 0 && request.images > Math.max(most("image_to_video"), 0)) return "reference_to_video";
  return offered.some((one) => one.mode === "image_to_video") ? "image_to_video" : offered[0].mode;
}

/** What can be chosen with this request, for each widget. A lone "auto" means: nothing can.
 * @param {Dialect} dialect @param {string[]} modes @param {Capability | null} capability
 * @returns {{model: string[], mode: string[], resolution: string[], aspect_ratio: string[], motion_mode: string[],
 *            duration: {least: number, most: number} | null}} */
export function choices(dialect, modes, capability) {
  const offered = dialect.capabilities.filter((one) => modes.includes(one.mode));
  const inMode = offered.filter((one) => !capability || one.mode === capability.mode);
  const of = (/** @type {"resolutions" | "aspect_ratios" | "motion_modes"} */ what) =>
    unique([AUTO, ...(capability?.[what] ?? [])]);
  const span = capability?.duration;
  return {
    model: unique([AUTO, ...inMode.map((one) => one.model)]),
    mode: unique([AUTO, ...offered.map((one) => one.mode)]),
    resolution: of("resolutions"),
    aspect_ratio: of("aspect_ratios"),
    motion_mode: of("motion_modes"),
    // 0 is auto, where the provider has a default.
    duration: span ? { least: span.default === null ? span.shortest : 0, most: span.longest } : null,
  };
}

/** Everything that the connection cannot do, each with what it could.
 * @param {Dialect} dialect @param {ClipRequest} request @param {Capability} capability
 * @returns {Fault[]} */
export function faults(dialect, request, capability) {
  return [
    ...choiceFaults(dialect, request, capability, "resolution", capability.resolutions),
    ...ratioFaults(dialect, request, capability),
    ...choiceFaults(dialect, request, capability, "motion_mode", capability.motion_modes),
    ...durationFaults(dialect, request, capability),
    ...imageFaults(dialect, request, capability),
    ...promptFaults(dialect, request, capability),
  ];
}

/** @param {Dialect} dialect @param {ClipRequest} request @param {Capability} capability
 * @param {"resolution" | "aspect_ratio" | "motion_mode"} field @param {string[]} offered @returns {Fault[]} */
function choiceFaults(dialect, request, capability, field, offered) {
  const value = request[field];
  if (value === undefined || value === AUTO || offered.includes(value)) return [];
  const values = { label: dialect.label, mode: capability.mode, value, choices: offered.join(", ") };
  // Perhaps another model of the same provider can: that is the nearer way out.
  const plural = { resolution: "resolutions", aspect_ratio: "aspect_ratios", motion_mode: "motion_modes" }[field];
  const others = dialect.capabilities.filter(
    (one) => one.mode === capability.mode && /** @type {any} */ (one)[plural].includes(value),
  );
  const fixes = [
    ...others.map((one) => ({ field: "model", value: one.model })),
    ...unique([AUTO, ...offered]).map((choice) => ({ field, value: choice })),
  ];
  const found = fault(field, offered.length ? "not_offered" : "no_choice", values, fixes);
  if (field === "motion_mode" && dialect.reasons[value]) found.values.reason = dialect.reasons[value];
  return [found];
}

/** @param {Dialect} dialect @param {ClipRequest} request @param {Capability} capability @returns {Fault[]} */
function ratioFaults(dialect, request, capability) {
  const follows = request.images > 0 && request.images <= capability.ratio_follows_images;
  if (!follows) return choiceFaults(dialect, request, capability, "aspect_ratio", capability.aspect_ratios);
  if (!request.aspect_ratio || request.aspect_ratio === AUTO) return [];
  const values = { label: dialect.label, value: request.aspect_ratio };
  const fixes = [{ field: "aspect_ratio", value: AUTO }];
  return [{ ...fault("aspect_ratio", "ratio_follows", values, fixes), isWarning: true }];
}

/** @param {Dialect} dialect @param {ClipRequest} request @param {Capability} capability @returns {Fault[]} */
function durationFaults(dialect, request, capability) {
  const field = "duration";
  if (request.duration === undefined) return [];
  const span = capability.duration;
  const values = { label: dialect.label, mode: capability.mode, value: request.duration };
  if (!span) return request.duration ? [fault(field, "no_choice", values, [{ field, value: 0 }])] : [];
  const limits = { ...values, least: span.shortest, most: span.longest };
  if (request.duration === 0) {
    if (span.default !== null) return [];
    return [fault(field, "duration_needed", limits, [{ field, value: Math.min(6, span.longest) }])];
  }
  if (request.duration >= span.shortest && request.duration <= span.longest) return [];
  const nearest = Math.min(Math.max(request.duration, span.shortest), span.longest);
  return [fault(field, "duration_span", limits, [{ field, value: nearest }])];
}

/** @param {Dialect} dialect @param {ClipRequest} request @param {Capability} capability @returns {Fault[]} */
function imageFaults(dialect, request, capability) {
  const values = { label: dialect.label, mode: capability.mode, value: request.images };
  if (request.images > capability.max_images) {
    return [fault("images", capability.max_images ? "images_many" : "images_none", { ...values, most: capability.max_images })];
  }
  if (request.images < capability.min_images) return [fault("images", "images_few", { ...values, least: capability.min_images })];
  return [];
}

/** @param {Dialect} dialect @param {ClipRequest} request @param {Capability} capability @returns {Fault[]} */
function promptFaults(dialect, request, capability) {
  const prompt = request.prompt;
  if (prompt === undefined) return [];
  const label = dialect.label;
  const found = [];
  if (capability.prompt_required && !prompt.trim()) found.push(fault("prompt", "prompt_needed", { label }));
  if (capability.prompt_limit !== null && prompt.length > capability.prompt_limit) {
    const values = { label, most: capability.prompt_limit, value: prompt.length };
    found.push(fault("prompt", "prompt_long", values));
  }
  const isPlainText = !dialect.tokens.includes(capability.mode);
  for (const { token, number } of find(prompt)) {
    if (number >= 1 && number <= request.images) continue;
    // A batch that holds more than one image may still make it good.
    const isWarning = isPlainText || (!request.isExact && number >= 1);
    found.push({ ...fault("prompt", "token_lost", { token, value: request.images, label }), isWarning });
  }
  return found;
}

/** @param {string} field @param {string} word @param {Record<string, string | number>} values
 * @param {Fault["fixes"]} fixes @returns {Fault} */
function fault(field, word, values, fixes = []) {
  return { field, word, values, fixes };
}

/** @template T @param {T[]} many @returns {T[]} */
function unique(many) {
  return [...new Set(many)];
}
