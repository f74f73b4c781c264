// The pack's one entry: ComfyUI loads every .js below web/ as an extension, so all else is .mjs.
import { app } from "../../scripts/app.js";
import { jobsExtension } from "./lib/panel_extension.mjs";
import { settingsExtension } from "./lib/settings_extension.mjs";

for (const extension of [jobsExtension, settingsExtension]) {
  app.registerExtension(extension);
}
