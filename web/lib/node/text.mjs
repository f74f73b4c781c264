// The status's texts in the page's language: costs, times, violations, and what an error means for the user.
import { locale, t, tOr } from "../shared/i18n.mjs";

/** "1:05" @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** "$0.054": to a tenth of a cent, and never $0 for what costs something. @param {string | number} usd */
export function dollars(usd) {
  const isTiny = Number(usd) > 0 && Number(usd) < 0.0005;
  return `$${plain(usd, isTiny ? { maximumSignificantDigits: 1 } : { maximumFractionDigits: 3 })}`;
}

/** An amount of a provider's credits. @param {string | number} amount */
export const credits = (amount) => plain(amount, { maximumFractionDigits: 2 });

/** @param {string | number} amount @param {Intl.NumberFormatOptions} digits */
const plain = (amount, digits) => new Intl.NumberFormat("en", { ...digits, useGrouping: false }).format(Number(amount));

/** What a job costs, in words; null where it is not known.
 * @param {{usd: string | number, credits: string | number | null, is_estimate: boolean} | null} cost
 * @param {boolean} isFree on the sandbox nobody is paid */
export function costWords(cost, isFree) {
  if (!cost) return null;
  const usd = dollars(cost.usd);
  const sum = cost.credits === null ? usd : t("node.sum", { credits: credits(cost.credits), usd });
  if (isFree) return t("node.cost.free", { sum });
  return t(cost.is_estimate ? "node.cost.estimate" : "node.cost.billed", { sum });
}

/** @param {import("./quotes.mjs").UsualTime} usual */
export function usualWords(usual) {
  const whole = new Intl.NumberFormat(locale(), { maximumFractionDigits: 0 });
  const [median, low, high] = [usual.median, usual.low, usual.high].map((seconds) => whole.format(seconds));
  return t("node.usual", { time: t("node.seconds", { value: median }), count: usual.count, low, high });
}

/** @param {import("./quotes.mjs").Violation} violation @param {string | null} provider its label */
export function violationWords({ field, reason, values, message }, provider) {
  const label = tOr(`node.field.${field}`, field);
  const sentence = tOr(`node.fault.${reason}`, "");
  if (!sentence) return `${label}: ${message}`;
  const mode = tOr(`node.mode.${values.mode}`, String(values.mode));
  const told = t(`node.fault.${reason}`, { ...values, mode, field: label, label: provider ?? "" });
  return values.why ? `${told} ${values.why}` : told;
}

/** @param {string} field @param {string | number} value */
export function fixWords(field, value) {
  if (/^image_\d+$/.test(field)) return t("node.disconnect", { socket: field });
  if (field === "mode") return tOr(`node.mode.${value}`, String(value));
  return field === "duration" ? t("node.seconds", { value }) : String(value);
}

/** What happened, whether it was charged, what to do next. @param {any} event */
export function errorWords(event) {
  const kind = event.kind ?? "";
  const charged = event.task && CHARGED[kind] === "no" ? "going" : (CHARGED[kind] ?? "unknown");
  return {
    what: tOr(`node.error.${kind}`, t("node.error.other")),
    charged: t(`node.charged.${charged}`),
    next: tOr(`node.next.${kind}`, t("node.next.other")),
  };
}

/** What each of the engine's errors means for the user's money, where no task has been submitted. */
export const CHARGED = /** @type {Record<string, string>} */ ({
  SettingsError: "no",
  MissingKey: "no",
  RequestError: "no",
  UnsupportedOption: "no",
  MediaError: "no",
  EncodeError: "no",
  DecodeError: "no",
  TransportError: "unknown",
  ConnectFailed: "no",
  TimedOut: "unknown",
  FetchFailed: "paid",
  ProviderError: "unknown",
  AuthRejected: "no",
  OutOfCredit: "no",
  RateLimited: "no",
  BadRequest: "no",
  ContentRefused: "no",
  TaskNotFound: "unknown",
  ProviderDown: "unknown",
  UnreadableReply: "unknown",
  JobError: "unknown",
  JobFailed: "mostly_not",
  ContentRejected: "perhaps",
  JobExpired: "paid",
  JobTimedOut: "going",
  JobCanceled: "mostly_not",
  ResultNotFetched: "paid",
  SubmitUncertain: "unknown",
  OverBudget: "no",
  StorageError: "no",
  JournalError: "unknown",
  Stopped: "going",
});
