// The shared area, through which the frequent calls of the core pass texts and numbers: the other side of
// npm/bindings/src/area.rs, which defines the layout.

import { type CoreSettings, wasmMemory, Word } from "#core";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The part of a record by which it is recognised: its header has the generation and the tag of the last save there. */
const [TAG, TAG_END] = [80, 120];

/** The length up to which a loop over ASCII is faster than the encoder. */
const SHORT = 32;

export class Area {
  readonly #settings: CoreSettings;
  readonly #address: number;
  /** Views of the memory, of the words and of the bytes. They become empty when the memory grows. */
  #memory = new Uint8Array();
  #words = new Float64Array();
  #bytes = new Uint8Array();

  constructor(settings: CoreSettings) {
    this.#settings = settings;
    this.#address = settings.areaAddress();
  }

  /** Returns a word of the area. */
  word(index: Word): number {
    return this.#views()[index]!;
  }

  /** Writes a text. Returns its length in bytes. */
  write(text: string): number {
    const room = this.#room(text.length);
    if (writeAscii(text, room, 0)) return text.length;
    const { read, written } = encoder.encodeInto(text, room);
    return read === text.length ? written : encoder.encodeInto(text, this.#room(3 * text.length)).written;
  }

  /** Writes two texts, the second behind the first. Calls `call` with their lengths in bytes. */
  writeBoth(first: string, second: string, call: (first: number, second: number) => number): number {
    const length = first.length + second.length;
    for (let size = length; ; size *= 3) {
      const room = this.#room(size);
      const one = writeAscii(first, room, 0) ? { read: first.length, written: first.length } : encoder.encodeInto(first, room);
      if (one.read === first.length && writeAscii(second, room, one.written)) return call(one.written, second.length);
      const other = encoder.encodeInto(second, room.subarray(one.written));
      if (one.read + other.read === length) return call(one.written, other.written);
    }
  }

  /** Writes the values that a store returned. A missing value is undefined. */
  writeValues(values: readonly (Uint8Array | undefined)[]): void {
    let size = 0;
    for (const value of values) size += value?.length ?? 0;
    const bytes = this.#room(size);
    const words = this.#views();
    let at = 0;
    for (let index = 0; index < values.length; index++) {
      const value = values[index];
      words[Word.Lengths + index] = value ? value.length : -1;
      if (!value) continue;
      bytes.set(value, at);
      at += value.length;
    }
  }

  /** Returns the text of the last result. Throws a `TypeError` if it is not UTF-8. */
  text(): string {
    const words = this.#views();
    const length = words[Word.TextLength]!;
    if (length === 0) return "";
    const start = words[Word.TextAddress]!;
    return decoder.decode(this.#memory.subarray(start, start + length));
  }

  /** Returns the text of the last result up to the first NUL, even if the rest is not UTF-8. */
  textToNul(): string {
    const words = this.#views();
    const start = words[Word.TextAddress]!;
    const bytes = this.#memory.subarray(start, start + words[Word.TextLength]!);
    return decoder.decode(bytes.subarray(0, bytes.indexOf(0)));
  }

  /** Returns a copy of the value to put. */
  value(): Uint8Array<ArrayBuffer> {
    const words = this.#views();
    return this.bytes(words[Word.ValueAddress]!, words[Word.ValueLength]!);
  }

  /** Returns a copy of the bytes at an address. */
  bytes(address: number, length: number): Uint8Array<ArrayBuffer> {
    this.#views();
    return this.#memory.slice(address, address + length);
  }

  /** Returns whether the value, a record, is the same as another one. Their headers suffice: no two records have the same tag. */
  isValue(record: Uint8Array): boolean {
    const words = this.#views();
    const start = words[Word.ValueAddress]!;
    if (record.length !== words[Word.ValueLength]) return false;
    const end = Math.min(TAG_END, record.length);
    for (let at = TAG; at < end; at++) if (record[at] !== this.#memory[start + at]) return false;
    return true;
  }

  /** Returns the words. */
  #views(): Float64Array {
    if (this.#words.length === 0) {
      const { buffer } = wasmMemory() as { buffer: ArrayBuffer };
      this.#memory = new Uint8Array(buffer);
      this.#words = new Float64Array(buffer, this.#address, Word.End);
    }
    return this.#words;
  }

  /** Returns the bytes, at least `size` of them. */
  #room(size: number): Uint8Array<ArrayBuffer> {
    let words = this.#views();
    if (words[Word.BytesLength]! < size) {
      this.#settings.reserveArea(size);
      words = this.#views();
    }
    const start = words[Word.BytesAddress]!;
    const length = words[Word.BytesLength]!;
    if (this.#bytes.byteOffset !== start || this.#bytes.length !== length) this.#bytes = this.#memory.subarray(start, start + length);
    return this.#bytes;
  }
}

/** Writes a short ASCII text. Returns false for any other, and if there is no room. */
function writeAscii(text: string, bytes: Uint8Array, at: number): boolean {
  const { length } = text;
  if (length > SHORT || at + length > bytes.length) return false;
  for (let index = 0; index < length; index++) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) return false;
    bytes[at + index] = unit;
  }
  return true;
}
