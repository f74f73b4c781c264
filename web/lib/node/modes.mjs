// Our nodes: which kinds of work each can ask for. A node that is not listed shows progress and errors alone.

/** @type {Record<string, string[]>} */
const MODES = {
  GIVTextToVideo: ["text_to_video"],
  GIVImageToVideo: ["image_to_video", "reference_to_video"],
  GIVEditVideo: ["edit_video"],
  GIVExtendVideo: ["extend_video"],
};

/** @param {{comfyClass?: string, type?: string}} node */
export const isOurs = (node) => /^GIV[A-Z]/.test(node.comfyClass ?? node.type ?? "");

/** @param {{comfyClass?: string, type?: string}} node @returns {string[]} empty: it asks for no clip */
export const modesOf = (node) => MODES[node.comfyClass ?? node.type ?? ""] ?? [];
