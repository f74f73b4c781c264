// Making elements without a framework: text is always text, never markup.

/**
 * An element. Attributes whose value is null or false are left out; `on` holds listeners, `class` names, the rest are
 * attributes; children are elements or texts.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    } else if (name === "value") {
      element.value = value ?? "";
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

/** One of ComfyUI's own icons (PrimeIcons), for the eye alone. @param {string} name */
export const icon = (name) => h("i", { class: `pi pi-${name}`, "aria-hidden": "true" });

/**
 * A button. @param {string} label @param {() => void} act @param {Record<string, any>} [attributes]
 */
export function button(label, act, { symbol, quiet, ...attributes } = {}) {
  const shown = quiet ? icon(symbol) : label;
  return h(
    "button",
    {
      type: "button",
      class: quiet ? "giv-button giv-quiet" : "giv-button",
      "aria-label": quiet ? label : null,
      title: quiet ? label : null,
      on: { click: act },
      ...attributes,
    },
    !quiet && symbol ? icon(symbol) : null,
    shown,
  );
}

/** A link to a style sheet beside this file. It belongs inside an element of ours: the page's head holds nothing of ours,
 * and a style leaves the page with what it styles. @param {string} name @param {() => void} [loaded] */
export const sheet = (name, loaded) =>
  h("link", {
    rel: "stylesheet",
    href: new URL(`./${name}`, import.meta.url).href,
    on: loaded ? { load: loaded, error: loaded } : {},
  });

/** Put the style sheet of the panel and the dialogs into `home`, which is in the page; resolves when it applies.
 * @param {HTMLElement} home @returns {Promise<void>} */
export const styled = (home) => new Promise((resolve) => home.append(sheet("style.css", resolve)));

/** Copy a text, also where the page came by plain HTTP from another machine, and the browser gives no clipboard.
 * @param {string} text @param {Element} home an element of ours, for a moment the text's place */
export async function copyText(text, home) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { value: text });
    home.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
