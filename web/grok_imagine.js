// The pack's one entry: ComfyUI loads every .js below web/ as an extension, so all else is .mjs.
import { extension as nodesExtension } from "./lib/node/extension.mjs";
import { jobsExtension } from "./lib/panel/extension.mjs";
import { settingsExtension } from "./lib/settings/extension.mjs";
import { registerExtension } from "./lib/shared/comfyui.mjs";

for (const extension of [nodesExtension, jobsExtension, settingsExtension]) registerExtension(extension);
