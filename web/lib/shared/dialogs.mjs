// Dialogs of our own, on the browser's <dialog>: it traps the focus, closes on Escape and restores the focus.
import { canvasHome } from "./comfyui.mjs";
import { button, h, icon, styled } from "./dom.mjs";
import { t } from "./i18n.mjs";

/**
 * Open a dialog; resolves with what it was closed with ("" for Escape).
 * @param {{title: string, content: Node[], buttons?: any[], wide?: boolean, opened?: (dialog: any) => void}} options
 * @returns {Promise<string>}
 */
export async function openDialog({ title, content, buttons = [], wide = false, opened }) {
  const heading = h("h2", { id: `giv-title-${Date.now()}` }, title);
  const shut = button(t("dialog.close"), () => dialog.close(""), { symbol: "times", quiet: true });
  const dialog = h(
    "dialog",
    { class: wide ? "giv-dialog giv-wide" : "giv-dialog", "aria-labelledby": heading.id },
    h("header", { class: "giv-dialog-head" }, heading, shut),
    h("div", { class: "giv-dialog-body" }, ...content),
    buttons.length ? h("footer", { class: "giv-dialog-foot" }, ...buttons) : null,
  );
  // ComfyUI's shortcuts listen at the window: what is typed here is not for them.
  dialog.addEventListener("keydown", (/** @type {Event} */ event) => event.stopPropagation());
  // Beside the nodes' own elements. The browser draws it above everything, wherever it lies.
  canvasHome().append(dialog);
  await styled(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    dialog.showModal();
    opened?.(dialog);
  });
}

/** @param {any} element */
const closeWith = (element, value = "") => element.closest("dialog").close(value);

/**
 * Ask for confirmation.
 * @param {{title: string, text: string, yes: string, isDangerous?: boolean}} question
 */
export async function confirm({ title, text, yes, isDangerous = false }) {
  const go = h(
    "button",
    { type: "button", class: isDangerous ? "giv-button giv-danger" : "giv-button giv-primary" },
    yes,
  );
  const stay = h("button", { type: "button", class: "giv-button", autofocus: true }, t("dialog.cancel"));
  go.addEventListener("click", () => closeWith(go, "yes"));
  stay.addEventListener("click", () => closeWith(stay));
  return (await openDialog({ title, content: [h("p", {}, text)], buttons: [stay, go] })) === "yes";
}

/**
 * Ask for a line of text; null where none was given.
 * @param {{title: string, text: string, label: string, yes: string}} question
 * @returns {Promise<string | null>}
 */
export async function prompt({ title, text, label, yes }) {
  const input = h("input", { class: "giv-input", autofocus: true, autocomplete: "off", spellcheck: "false" });
  const form = h("form", {}, h("p", {}, text), h("label", { class: "giv-field" }, h("span", {}, label), input));
  const go = h("button", { type: "button", class: "giv-button giv-primary" }, yes);
  const finish = () => input.value.trim() && closeWith(go, input.value.trim());
  go.addEventListener("click", finish);
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    finish();
  });
  return (await openDialog({ title, content: [form], buttons: [go] })) || null;
}

/** A message that stands in the page, with an icon. @param {"error" | "good" | "info"} kind @param {string} text */
export function notice(kind, text) {
  const symbols = { error: "exclamation-triangle", good: "check-circle", info: "info-circle" };
  return h("p", { class: `giv-notice giv-${kind}` }, icon(symbols[kind]), h("span", {}, text));
}
