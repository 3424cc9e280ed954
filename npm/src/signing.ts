// Django's signed format, compressed by the platform's zlib.

import type { CoreSettings } from "#core";

/** The limit for decompressed data, in bytes: the largest value of KV. */
const MAX_BYTES = 25 * 1024 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Signs the text of a JSON object, compressed if that is shorter. */
export async function encode(settings: CoreSettings, object: string, now: number): Promise<string> {
  const plain = encoder.encode(object.replace(/[\u007f-\uffff]/g, escaped));
  const compressed = await through(new CompressionStream("deflate"), plain);
  const shorter = compressed.length + 1 < plain.length;
  return settings.sign(shorter ? compressed : plain, shorter, now);
}

/** Returns the text of the JSON object that was signed; undefined if the signature is invalid. */
export async function decode(settings: CoreSettings, text: string): Promise<string | undefined> {
  const payload = typeof text === "string" && settings.verify(text);
  if (!payload) return undefined;
  try {
    return decoder.decode(text.startsWith(".") ? await through(new DecompressionStream("deflate"), payload) : payload);
  } catch {
    return undefined; // signed, but not valid UTF-8 or zlib data
  }
}

/** Escapes a code unit as Django does, which stores printable ASCII only. */
function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

async function through(stream: CompressionStream | DecompressionStream, bytes: Uint8Array): Promise<Uint8Array> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  // The types of the streams do not state that both read and write bytes.
  for await (const chunk of new Blob([bytes as BlobPart]).stream().pipeThrough(stream) as unknown as AsyncIterable<Uint8Array<ArrayBuffer>>) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error("too large");
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
