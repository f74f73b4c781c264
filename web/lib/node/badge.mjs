// What the badge of a node says: what a run would cost, or, until its values change, what the last one did.
import { t } from "../shared/i18n.mjs";
import { isLinked, value } from "./widgets.mjs";
import { modesOf } from "./modes.mjs";
import { choose } from "./limits.mjs";
import { decimal, dollars, estimate, exact } from "./price.mjs";
import { rowsOf } from "./rows.mjs";

/** @typedef {import("./limits.mjs").Capability} Capability
 *  @typedef {import("./capabilities_store.mjs").Connection} Connection
 *  @typedef {NonNullable<ReturnType<typeof import("./capabilities_store.mjs").capabilities>>} Known
 *  @typedef {{connection: Connection, capability: Capability | null, resolution?: string, seconds?: number}} Clip */

const BATCH_MODES = ["text_to_video", "image_to_video", "reference_to_video"];

/** Nodes that make more than one clip: how many, and which, goes by what is written into them.
 * @type {Record<string, (node: any, known: Known) => Clip[] | null>} */
const MANY = {
  GIVBatch(node, known) {
    const rows = value(node, "rows");
    if (rows === undefined) return null;
    const hasImages = isLinked(node, (input) => input.name === "images");
    return rowsOf(String(rows)).map((row) => {
      const images = row.images || Number(hasImages);
      const mode = row.mode ?? (images ? undefined : "text_to_video");
      const model = row.model ?? value(node, "model");
      return clip(node, known, BATCH_MODES, { ...row, mode, model, images });
    });
  },
  GIVContinueVideo(node, known) {
    const prompts = value(node, "prompts");
    if (prompts === undefined) return null;
    const lines = String(prompts).split("\n").filter((line) => line.trim());
    const how = value(node, "how");
    const dialect = known.dialects[known.connections[value(node, "connection")]?.dialect];
    const canExtend = dialect?.capabilities.some((one) => one.mode === "extend_video");
    const mode = how === "extend" || (how === "auto" && canExtend) ? "extend_video" : "image_to_video";
    return lines.map(() => clip(node, known, [mode], { mode, model: value(node, "model"), images: 1 }));
  },
};

/** Whether a price can be said of the node. @param {any} node */
export const isPriced = (node) => modesOf(node).length > 0 || kindOf(node) in MANY;

/** @param {any} node @returns {string} */
const kindOf = (node) => node.comfyClass ?? node.type ?? "";

/** One clip of several: the node's own values, where `request` says nothing.
 * @param {any} node @param {Known} known @param {string[]} modes @param {any} request @returns {Clip} */
function clip(node, known, modes, request) {
  const connection = known.connections[request.connection ?? value(node, "connection")] ?? null;
  const dialect = connection && known.dialects[connection.dialect];
  const capability = dialect ? choose(dialect, modes, { isExact: true, ...request }).capability : null;
  const [resolution, seconds] = [request.resolution ?? value(node, "resolution"), request.duration ?? value(node, "duration")];
  return { connection, capability, resolution, seconds };
}

/** The price, in a few words.
 * @param {any} node @param {ReturnType<typeof import("./widgets.mjs").judge>} judged @param {Known | null} known */
export function priceWords(node, judged, known) {
  const { connection, capability, request } = judged;
  const many = MANY[kindOf(node)];
  if (!many || !known) {
    if (!connection || !capability) return t("node.badge.unknown");
    return sumWords([{ connection, capability, resolution: request.resolution, seconds: request.duration }], known);
  }
  const clips = many(node, known);
  if (clips === null) return t("node.badge.unknown");
  const count = t("node.clips", { count: clips.length });
  return clips.length ? `${count} · ${sumWords(clips, known)}` : count;
}

/** @param {Clip[]} clips @param {Known | null} known */
function sumWords(clips, known) {
  if (clips.some((one) => !one.connection || !one.capability)) return t("node.badge.unknown");
  const isFree = clips.every((one) => one.connection.is_sandbox);
  // A row that costs nothing adds nothing to what the others cost.
  const paid = isFree ? clips : clips.filter((one) => !one.connection.is_sandbox);
  const costs = paid.map((one) => {
    const resolution = !one.resolution || one.resolution === "auto" ? null : one.resolution;
    return estimate(/** @type {Capability} */ (one.capability), resolution, one.seconds || null);
  });
  if (costs.some((one) => one === null)) return isFree ? t("node.badge.free") : t("node.badge.see");
  const usd = costs.reduce((sum, one) => sum + (one?.usd ?? 0n), 0n);
  const credits = costs.reduce((sum, one) => sum + (one?.credits ?? 0n), 0n);
  const dialects = [...new Set(paid.map((one) => one.connection.dialect))];
  if (isFree) return freeWords(usd, dialects.length === 1 ? known?.dialects[dialects[0]].label : undefined);
  // Credits of different providers are different money.
  return words("estimate", dialects.length === 1 ? credits : null, usd);
}

/** What clips have cost. @param {{usd: string | number, credits: string | number | null, is_estimate: boolean}[]} costs
 * @param {boolean} isFree @param {string | undefined} provider the label of the provider that the sandbox simulates */
export function paidWords(costs, isFree, provider) {
  const usd = costs.reduce((sum, one) => sum + exact(one.usd), 0n);
  const hasCredits = costs.every((one) => one.credits !== null);
  const credits = hasCredits ? costs.reduce((sum, one) => sum + exact(one.credits ?? 0), 0n) : null;
  const kind = costs.some((one) => one.is_estimate) ? "estimate" : "billed";
  const price = isFree ? freeWords(usd, provider) : words(kind, credits, usd);
  return costs.length > 1 ? `${t("node.clips", { count: costs.length })} · ${price}` : price;
}

/** @param {bigint} usd what a paid provider would charge @param {string | undefined} provider its label */
const freeWords = (usd, provider) =>
  provider ? t("node.badge.sandbox", { usd: dollars(usd), provider }) : t("node.badge.sandboxMany", { usd: dollars(usd) });

/** @param {"estimate" | "billed"} kind @param {bigint | null} credits @param {bigint} usd */
function words(kind, credits, usd) {
  const values = { credits: decimal(credits ?? 0n), usd: dollars(usd) };
  return t(credits === null ? `node.badge.${kind}Usd` : `node.badge.${kind}`, values);
}
