// `encode` and `decode` use Django's signed form: Django and both implementations read each other's texts.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { start } from "./implementations.mjs";
import { someData } from "./generate-calls.mjs";
import { same, write } from "./lines.mjs";
import { chance } from "./random.mjs";

const { secret, vectors } = JSON.parse(readFileSync(new URL("signing-vectors.json", import.meta.url), "utf8"));

const secrets = ["a new secret, of more than thirty-two bytes", "an old secret, of more than thirty-two bytes"];

const NOW = 1_900_000_000;

const { reference, implementations, stop } = start();
after(stop);

const encode = (one, data, given = secrets) => one.ask({ signing: "encode", secrets: given, now: NOW, data });
const decode = (one, texts, given = secrets) => one.ask({ signing: "decode", secrets: given, texts });

/** What a dictionary keeps of pairs: a key's first place and its last value. */
const kept = (pairs) => [...new Map(pairs)];

const random = chance(Number(process.env.DJANGO_SEED ?? 1));
const data = [[], [["k", "x".repeat(200)]], [["é", "☃"]], ...Array.from({ length: 200 }, () => kept(someData(random, 12)))];
const packed = (text) => text.startsWith(".");

test("Django gives the known answers, and reads them", async () => {
  for (const { now, data: known, encoded } of vectors) {
    const [text] = await reference.ask({ signing: "encode", secrets: [secret], now, data: [Object.entries(known)] });
    if (!packed(encoded)) assert.equal(text, encoded);
    assert.deepEqual(await decode(reference, [encoded], [secret]), [Object.entries(known)]);
  }
});

test("each implementation reads Django's texts, compressed or not", async () => {
  const texts = await encode(reference, data);
  assert.ok(texts.some(packed) && !texts.every(packed));
  for (const [implementation, one] of Object.entries(implementations)) assert.ok(same(await decode(one, texts), data), implementation);
});

test("Django reads each implementation's texts, and uncompressed ones are identical to Django's", async () => {
  const theirs = await encode(reference, data);
  for (const [implementation, one] of Object.entries(implementations)) {
    const texts = await encode(one, data);
    assert.ok(same(await decode(reference, texts), data), implementation);
    for (const [index, text] of texts.entries()) {
      // Each zlib decides for itself what gets shorter, Python writes exponents in its own way, and serde_json's objects are
      // sorted: what all that stands for was compared above.
      if (![text, theirs[index]].some(packed) && !/\d[.e][+-]?\d|\{/.test(write(data[index]))) assert.equal(text, theirs[index], implementation);
    }
  }
});

test("an old secret still verifies among the fallbacks, and nowhere else", async () => {
  const [fresh, old] = secrets;
  for (const [name, one] of [["Django", reference], ...Object.entries(implementations)]) {
    const texts = await encode(one, data.slice(0, 20), [old]);
    for (const [reader, other] of [["Django", reference], ...Object.entries(implementations)]) {
      assert.ok(same(await decode(other, texts, [fresh, old]), data.slice(0, 20)), `${name} → ${reader}`);
      assert.ok(same(await decode(other, texts, [fresh]), texts.map(() => [])), `${name} → ${reader}`);
    }
  }
});

test("a text that was changed in any byte, cut or extended decodes to no data, in Django and each implementation", async () => {
  const texts = (await encode(reference, [[["user", "alice"], ["n", 1]], [["k", "x".repeat(100)]]])).flatMap(changed);
  const nothing = texts.map(() => []);
  for (const [name, one] of [["Django", reference], ...Object.entries(implementations)]) {
    const read = await decode(one, texts);
    assert.deepEqual(read.filter((pairs, index) => !same(pairs, nothing[index])), [], name);
  }
});

test("what was signed but is none of Django's data is nothing, and no error", async () => {
  const hex = (text) => Buffer.from(text).toString("hex");
  const payloads = [[hex("no JSON"), false], [hex(""), false], [hex('{"a":'), false], ["ff80", false], [hex("no zlib"), true], ["789c", true], [hex('{"a":1}'), true]];
  const texts = await reference.ask({ signing: "raw", secrets, payloads });
  for (const [name, one] of [["Django", reference], ...Object.entries(implementations)]) {
    assert.deepEqual(await decode(one, texts), texts.map(() => []), name);
  }
});

/** Every text that differs from this one by a byte. */
function changed(text) {
  const others = [];
  for (let at = 0; at <= text.length; at++) {
    const [before, here, rest] = [text.slice(0, at), text[at], text.slice(at + 1)];
    for (const byte of ["A", "B", "z", "0", "-", "_", ":", ".", "=", "é"]) {
      if (byte !== here) others.push(before + byte + rest);
      others.push(before + byte + text.slice(at));
    }
    if (here !== undefined) others.push(before + rest, before);
  }
  return others.filter((other) => other !== text);
}
