// Numbers, money and times as people read them, in the page's language.
import { CHARGED } from "../node/text.mjs";
import { locale, t, tOr } from "../shared/i18n.mjs";

const UNITS = /** @type {const} */ ([
  ["year", 31557600],
  ["month", 2629800],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
]);

/** How long ago that was. @param {number} moment Unix seconds @param {number} [now] */
export function age(moment, now = Date.now() / 1000) {
  const seconds = Math.max(0, now - moment);
  const [unit, size] = UNITS.find(([, length]) => seconds >= length) ?? ["minute", 60];
  if (seconds < 60) return t("time.now");
  return new Intl.RelativeTimeFormat(locale(), { numeric: "always", style: "narrow" }).format(
    -Math.floor(seconds / size),
    unit,
  );
}

/** Date and time. @param {number | null} moment Unix seconds */
export const date = (moment) =>
  moment
    ? new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "medium" }).format(new Date(moment * 1000))
    : "";

/** US dollars: two decimals, more where they mean something. @param {number} amount */
export const dollars = (amount) =>
  new Intl.NumberFormat(locale(), {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: 2,
    maximumFractionDigits: 4,
  }).format(amount);

/** What a job costs, shortly; an estimate has a ~ before it. @param {any} job */
export function cost(job) {
  if (job.is_free) return t("cost.free");
  if (isUncharged(job)) return t("cost.nothing");
  if (!job.cost) return t("cost.unknown");
  return (job.cost.is_estimate ? "~" : "") + dollars(job.cost.usd);
}

/** Whether a job has failed at no cost: it was refused before there was a task, or billed nothing. @param {any} job */
function isUncharged(job) {
  if (job.state !== "failed") return false;
  if (job.cost && !job.cost.is_estimate) return Number(job.cost.usd) === 0;
  return !job.task_id && CHARGED[job.error_kind] === "no";
}

/** What a job costs, with the provider's credits. @param {any} job */
export function costInFull(job) {
  const usd = cost(job);
  const credits = job.cost?.credits;
  const amount = credits === null || credits === undefined ? "" : t("cost.credits", { credits });
  if (job.is_free) return job.cost ? t("cost.freeHere", { usd: dollars(job.cost.usd) }) : usd;
  if (isUncharged(job)) return usd;
  const kind = job.cost ? t(job.cost.is_estimate ? "cost.estimate" : "cost.billed") : "";
  return [usd, amount, kind].filter(Boolean).join(" · ");
}

/** What tells a job from others of its prompt: where it is made, and how long it is. @param {any} job */
export function traits({ connection, parameters }) {
  const seconds = parameters?.duration_seconds;
  return [connection, seconds && t("node.seconds", { value: seconds })].filter(Boolean).join(" · ");
}

/**
 * Where a job stands, or why it failed: its key, for colours, and its name.
 * @param {any} job
 * @returns {{key: string, name: string}}
 */
export function standing(job) {
  let key = job.state;
  if (job.is_unknown) key = "unknown";
  else if (job.state === "failed" && job.error_kind === "ContentRejected") key = "rejected";
  else if (job.state === "failed" && ["JobDropped", "JobCanceled"].includes(job.error_kind)) key = "dropped";
  else if (job.state === "saved" && !job.has_file) key = "gone";
  const name = tOr(`state.${key}`, job.state);
  return { key, name: key === "failed" ? tOr(`node.error.${job.error_kind}`, name) : name };
}
