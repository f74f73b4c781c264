// Toasts, and error messages for the user.
import { ApiError } from "./api.mjs";
import { addToast } from "./comfyui.mjs";
import { t } from "./i18n.mjs";

/** @param {"success" | "info" | "warn" | "error"} severity @param {string} summary @param {string} [detail] */
export function toast(severity, summary, detail) {
  addToast({ severity, summary, detail, life: severity === "error" ? 12000 : 4000 });
}

/** What went wrong, in words. @param {unknown} error */
export function errorText(error) {
  if (error instanceof ApiError && error.kind === "Unreachable") return t("error.unreachable");
  return error instanceof Error && error.message ? error.message : String(error);
}

/** Do `work`; what it throws becomes a toast. @template T @param {() => Promise<T>} work @returns {Promise<T | null>} */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast("error", t("error.title"), errorText(error));
    return null;
  }
}
