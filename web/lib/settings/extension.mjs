// The settings as an extension of ComfyUI: a command, and a row in ComfyUI's settings that opens our own dialog.
import { button, h, sheet } from "../shared/dom.mjs";
import { loadStrings, t } from "../shared/i18n.mjs";
import { attempt } from "../shared/feedback.mjs";

/** Nothing of it is needed before it is opened. */
const open = () => attempt(async () => (await import("./dialog.mjs")).openSettings());

export const settingsExtension = {
  name: "grokimaginevideo.settings",
  init: loadStrings,
  commands: [
    {
      id: "GrokImagineVideo.OpenSettings",
      label: "Grok Imagine Video: Connections, Stores and Budget",
      icon: "pi pi-key",
      function: open,
    },
  ],
  settings: [
    {
      // ComfyUI keeps its settings in a file that anybody may read over HTTP, so there is only a button here.
      id: "GrokImagineVideo.Settings",
      category: ["Grok Imagine Video", "Connections, stores and budget", "Settings"],
      name: "Keys, stores and limits",
      tooltip: "Keys are kept in a private file on the server, never in ComfyUI's own settings.",
      type: () => h("span", { class: "giv-setting" }, sheet("style.css"), button(t("settings.open"), open, { symbol: "cog" })),
      defaultValue: null,
    },
  ],
};

