// Forms of the settings: labelled fields, secrets that are written and never read, and what came of saving.
import { notice } from "../shared/dialogs.mjs";
import { button, h } from "../shared/dom.mjs";
import { t } from "../shared/i18n.mjs";
import { errorText } from "../shared/feedback.mjs";

let made = 0;

/**
 * A labelled field. `hint` stands below it and is read with it.
 * @param {string} label @param {any} input @param {string} [hint]
 */
export function field(label, input, hint) {
  made += 1;
  input.id = `giv-field-${made}`;
  if (hint) input.setAttribute("aria-describedby", `${input.id}-hint`);
  return h(
    "div",
    { class: "giv-field" },
    h("label", { for: input.id }, label),
    input,
    hint ? h("small", { id: `${input.id}-hint` }, hint) : null,
  );
}

/** @param {string} name @param {any} value @param {Record<string, any>} [attributes] */
export const input = (name, value, attributes = {}) =>
  h("input", { class: "giv-input", name, value: value ?? "", autocomplete: "off", spellcheck: "false", ...attributes });

/** @param {string} name @param {any} value @param {[string, string][]} choices value and label */
export const select = (name, value, choices, attributes = {}) =>
  h(
    "select",
    { class: "giv-input", name, ...attributes },
    ...choices.map(([one, label]) => h("option", { value: one, selected: one === (value ?? "") }, label)),
  );

/**
 * A field for a secret: shows the last four characters of the stored one; typing replaces it.
 * @param {string} name @param {{source: string | null, last_four: string} | undefined} known @param {boolean} isLong
 */
export function secret(name, known, isLong = false) {
  const placeholder = known?.source ? t("secret.stored", { four: dots(known.last_four) }) : t("secret.none");
  const attributes = { class: "giv-input", name, placeholder, autocomplete: "new-password", spellcheck: "false" };
  if (known?.source === "environment") return h("input", { ...attributes, disabled: true });
  return isLong ? h("textarea", { ...attributes, rows: "3" }) : h("input", { ...attributes, type: "password" });
}

/** A secret as it is shown. @param {string} four */
export const dots = (four) => `••••${four}`;

/**
 * A form that saves, and shows errors.
 * @param {{title: string, isOnly?: boolean, fields: any[], save: (values: Record<string, string>) => Promise<void>,
 *          cancel?: () => void, remove?: (() => void) | false}} parts `isOnly`: the title is above it already
 */
export function form({ title, isOnly = false, fields, save, cancel, remove }) {
  const faults = h("div", { "aria-live": "assertive" });
  const go = h("button", { type: "submit", class: "giv-button giv-primary" }, t("settings.save"));
  const element = h(
    "form",
    { class: "giv-form", autocomplete: "off", "aria-label": title },
    isOnly ? null : h("h3", {}, title),
    ...fields,
    faults,
    h(
      "div",
      { class: "giv-actions" },
      go,
      cancel ? button(t("dialog.cancel"), cancel) : null,
      remove && button(t("settings.remove"), remove, { symbol: "trash", class: "giv-button giv-last" }),
    ),
  );
  element.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (go.hasAttribute("aria-disabled")) return;
    // Not disabled: it would lose the focus to the page, where ComfyUI takes Escape for itself.
    go.setAttribute("aria-disabled", "true");
    faults.replaceChildren();
    try {
      await save(Object.fromEntries(/** @type {any} */ (new FormData(element))));
    } catch (error) {
      faults.append(notice("error", errorText(error)));
    } finally {
      go.removeAttribute("aria-disabled");
      for (const one of element.querySelectorAll('input[type="password"], textarea')) one.value = "";
    }
  });
  return element;
}
