// Tokens are offered while typed, and numbered as the images will be sent.
import assert from "node:assert/strict";
import { test } from "node:test";

import { begun, count } from "../../../web/lib/node/tokens.mjs";

test("what is typed is completed", () => {
  const at = (text, images = 3) => begun(text, text.length, images);
  assert.deepEqual(at("the cat of @"), { start: 11, offers: [1, 2, 3] });
  assert.deepEqual(at("@IM"), { start: 0, offers: [1, 2, 3] });
  assert.deepEqual(at("@image2", 3), null, "it is complete");
  assert.deepEqual(at("@image1", 12), { start: 0, offers: [10, 11, 12] });
  assert.deepEqual(at("@image1@", 2), { start: 7, offers: [1, 2] });
  assert.equal(at("me@", 3), null, "an address is no token");
  assert.equal(at("@imaxe", 3), null);
  assert.equal(at("@", 0), null, "no image, no offer");
  assert.equal(begun("a @im b", 5, 2).start, 2);
  assert.equal(begun("a @image", 4, 2), null, "in the middle of a word");
});

test("numbers go by the links, as the node sends its images", () => {
  const socket = (name, size, isLinked = true) => ({ name, isLinked, size });
  const plain = count([socket("image_1", 1, false), socket("image_2", 1), socket("image_3", 1)]);
  assert.deepEqual([...plain.labels], [["image_2", "@image1"], ["image_3", "@image2"]]);
  assert.deepEqual([plain.least, plain.isExact], [2, true]);
  const batch = count([socket("image_1", 3), socket("image_2", 1)]);
  assert.deepEqual([...batch.labels.values()], ["@image1–3", "@image4"]);
  const unknown = count([socket("image_1", null), socket("image_2", 1)]);
  assert.deepEqual([...unknown.labels.values()], ["@image1", "@image2+"]);
  assert.deepEqual([unknown.least, unknown.isExact], [2, false]);
});
