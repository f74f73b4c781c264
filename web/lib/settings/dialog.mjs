// The settings: connections, stores, and money and waiting, in one dialog with tabs.
import { get } from "../shared/api.mjs";
import { notice, openDialog } from "../shared/dialogs.mjs";
import { button, h } from "../shared/dom.mjs";
import { t } from "../shared/i18n.mjs";
import { errorText } from "../shared/feedback.mjs";
import { connectionsPart } from "./connections.mjs";
import { optionsPart } from "./options.mjs";
import { storesPart } from "./stores.mjs";

const PARTS = { connections: connectionsPart, stores: storesPart, options: optionsPart };

/** Open the dialog; resolves when it is closed.
 * @param {string} [part] which tab @param {string} [editing] the connection to edit there */
export async function openSettings(part = "connections", editing = "") {
  const place = h("div", { class: "giv-settings" }, h("p", { role: "status" }, t("settings.loading")));
  const closed = openDialog({ title: t("settings.title"), content: [place], wide: true });
  await fill(place, part, editing);
  await closed;
}

/** @param {any} place @param {string} part @param {string} editing */
async function fill(place, part, editing) {
  try {
    new Settings(place, await get("/settings"), part, editing);
  } catch (error) {
    const again = button(t("panel.tryAgain"), () => fill(place, part, editing), { symbol: "refresh" });
    place.replaceChildren(notice("error", errorText(error)), again);
  }
}

/** What the parts share: the settings as they are, and redrawing after a change. */
class Settings {
  /** @param {any} place @param {any} view @param {string} part @param {string} editing */
  constructor(place, view, part, editing) {
    this.view = view;
    this.part = part;
    /** What is open for editing: the name of a connection or store, "" for a new one, null for none. */
    this.editing = /** @type {string | null} */ (null);
    /** What the last trial of each connection and store found. @type {Record<string, any>} */
    this.found = {};
    this.tabs = h("div", { class: "giv-tabs", role: "tablist", "aria-label": t("settings.title") });
    this.body = h("div", { class: "giv-part", role: "tabpanel", id: "giv-settings-part", tabindex: "0" });
    for (const name of Object.keys(PARTS)) this.tabs.append(this.tab(name));
    place.replaceChildren(this.tabs, this.body);
    const isKnown = view.connections.some((/** @type {any} */ one) => one.name === editing && !one.is_sandbox);
    this.edit(isKnown ? editing : null);
  }

  /** @param {string} name */
  tab(name) {
    const tab = button(t(`settings.${name}`), () => this.show(name), {
      role: "tab",
      class: "giv-tab",
      id: `giv-tab-${name}`,
      "aria-controls": "giv-settings-part",
    });
    tab.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const names = Object.keys(PARTS);
      const next = names[(names.indexOf(name) + step + names.length) % names.length];
      this.show(next);
      this.tabs.querySelector(`#giv-tab-${next}`).focus();
    });
    return tab;
  }

  /** @param {string} name */
  show(name) {
    this.part = name;
    this.editing = null;
    this.draw();
  }

  /** The settings as the server has them now. @param {any} view */
  take(view) {
    this.view = view;
    this.editing = null;
    this.draw();
  }

  /** @param {string | null} name */
  edit(name) {
    this.editing = name;
    this.draw();
    this.body.querySelector("form input:not([disabled]), form select")?.focus();
  }

  draw() {
    for (const tab of this.tabs.children) {
      const isChosen = tab.id === `giv-tab-${this.part}`;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
    }
    this.body.setAttribute("aria-labelledby", `giv-tab-${this.part}`);
    const hadFocus = this.body.contains(document.activeElement);
    this.body.replaceChildren(...PARTS[/** @type {keyof typeof PARTS} */ (this.part)](this));
    if (hadFocus) this.body.focus(); // else it would be lost with what had it
  }
}
