// The page's prices are the engine's, for every model, tier and length: CASES holds what Python says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { decimal, dollars, estimate, exact, times } from "../../../web/lib/node/price.mjs";

const cases = JSON.parse(readFileSync(process.env.CASES, "utf8"));

test("every price is the engine's", () => {
  assert.ok(cases.prices.length > 500);
  for (const { dialect, index, resolution, seconds, cost } of cases.prices) {
    const capability = cases.dialects[dialect].capabilities[index];
    const found = estimate(capability, resolution, seconds);
    const where = `${dialect} ${capability.model} ${capability.mode} ${resolution} ${seconds}`;
    if (cost === null) {
      assert.equal(found, null, where);
      continue;
    }
    assert.equal(found.credits, exact(cost.credits), where);
    assert.equal(found.usd, exact(cost.usd), where);
    assert.equal(`${decimal(found.credits)} credits (${dollars(found.usd)})`, cost.words, where);
  }
});

test("amounts are exact where binary fractions are not", () => {
  assert.equal(exact("2.4") * 10n, exact("24"));
  assert.equal(exact(0.1) + exact(0.2), exact("0.3"));
  assert.equal(exact(5e-7), exact("0.0000005"));
  assert.equal(exact("-1.5"), -exact("1.5"));
  assert.throws(() => exact("1,5"), RangeError);
  assert.throws(() => exact(""), RangeError);
});

test("dollars are short, and never nothing for something", () => {
  assert.equal(dollars(exact("0.054")), "$0.054");
  assert.equal(dollars(exact("0.50")), "$0.5");
  assert.equal(dollars(exact("12")), "$12");
  assert.equal(dollars(exact("0.0625")), "$0.062", "half to even");
  assert.equal(dollars(exact("0.0001")), "$0.0001");
  assert.equal(dollars(0n), "$0");
});

test("several clips cost several times as much", () => {
  assert.deepEqual(times({ credits: 3n, usd: 5n }, 4), { credits: 12n, usd: 20n });
  assert.deepEqual(times({ credits: null, usd: 5n }, 2), { credits: null, usd: 10n });
});
