// Django's signed form, packed and unpacked by the platform's own zlib.

import type { CoreSettings } from "#core";

/** More than this is not unpacked: KV's largest value, in bytes. */
const MAX_BYTES = 25 * 1024 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Signs the text of a JSON object, packed where that makes it shorter. */
export async function encode(settings: CoreSettings, object: string, now: number): Promise<string> {
  const plain = encoder.encode(object.replace(/[\u007f-\uffff]/g, escaped));
  const packed = await through(new CompressionStream("deflate"), plain);
  const shorter = packed.length + 1 < plain.length;
  return settings.sign(shorter ? packed : plain, shorter, now);
}

/** The text of the JSON object that was signed; undefined where it was not. */
export async function decode(settings: CoreSettings, text: string): Promise<string | undefined> {
  const payload = typeof text === "string" && settings.verify(text);
  if (!payload) return undefined;
  try {
    return decoder.decode(text.startsWith(".") ? await through(new DecompressionStream("deflate"), payload) : payload);
  } catch {
    return undefined; // signed, but no text of zlib's
  }
}

/** Django keeps printable ASCII only. */
function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

async function through(stream: CompressionStream | DecompressionStream, bytes: Uint8Array): Promise<Uint8Array> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  // The types of streams do not say that both kinds take and give bytes.
  for await (const chunk of new Blob([bytes as BlobPart]).stream().pipeThrough(stream) as unknown as AsyncIterable<Uint8Array<ArrayBuffer>>) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error("too large");
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
