// The data of a session after its commit. They are taken from the core as they are, and read only if the session is used again.

import { recordMembers } from "#core";
import type { Area } from "./area.js";
import { callCore } from "./core-errors.js";

const NUL = "\0";

/** The values that a read returned. */
type Values = readonly (Uint8Array | undefined)[];

export class CommittedData {
  /** Quoted keys and JSON texts, each after a NUL: the result of the commit. A single NUL means the data of the record. */
  readonly #members: string;
  /** The record that the session was loaded from, if the members need it. */
  readonly #record: Uint8Array | undefined;
  /** Long texts that are not in the record. */
  readonly #longTexts: readonly Uint8Array[] | undefined;
  #texts: ReadonlyMap<string, string> | undefined;

  /** Takes the data that the core has in the area. `lastRead` can contain the record, which then is not copied. */
  constructor(members: string, area: Area, lastRead: Values) {
    if (members === NUL || members.includes("\0@")) this.#record = recordIn(lastRead, area) ?? area.value();
    if (members.includes("\0#")) [members, this.#longTexts] = takeLongTexts(members, area);
    this.#members = members;
  }

  /** The JSON texts, by key. Undefined if one of them is not UTF-8. */
  get texts(): ReadonlyMap<string, string> | undefined {
    return (this.#texts ??= this.#read());
  }

  #read(): ReadonlyMap<string, string> | undefined {
    const record = this.#record;
    const members = this.#members === NUL && record ? callCore(() => recordMembers(record)) : this.#members;
    if (members === undefined) return undefined;
    const texts = members.split(NUL);
    const map = new Map<string, string>();
    for (let at = 1; at + 1 < texts.length; at += 2) map.set(JSON.parse(texts[at]!) as string, this.#text(texts[at + 1]!));
    return map;
  }

  /** Returns a text, or the one at a place. */
  #text(text: string): string {
    if (text.startsWith("#")) return new TextDecoder().decode(this.#longTexts?.[Number(text.slice(1))]);
    if (!text.startsWith("@")) return text;
    const [offset, length] = text.slice(1).split(",").map(Number) as [number, number];
    return new TextDecoder().decode(this.#record?.subarray(offset, offset + length));
  }
}

function recordIn(values: Values, area: Area): Uint8Array | undefined {
  for (const value of values) if (value && area.isValue(value)) return value;
  return undefined;
}

/** Copies the texts at an address. Returns the members with their indices. */
function takeLongTexts(members: string, area: Area): [members: string, longTexts: Uint8Array[]] {
  const longTexts: Uint8Array[] = [];
  const replaced = members.replace(/\0#(\d+),(\d+)/g, (_, address: string, length: string) => {
    longTexts.push(area.bytes(Number(address), Number(length)));
    return `\0#${longTexts.length - 1}`;
  });
  return [replaced, longTexts];
}
