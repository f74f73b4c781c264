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
      for (const [type, heard] of Object.entries(value)) element.addEventListener(type, heard);
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

/** @type {Promise<void> | undefined} */
let styled;

/** Add our style sheet to the page, once; resolves when it applies. */
export function loadStyle() {
  styled ??= new Promise((resolve) => {
    const href = new URL("./style.css", import.meta.url).href;
    document.head.append(h("link", { rel: "stylesheet", href, on: { load: resolve, error: resolve } }));
  });
  return styled;
}
