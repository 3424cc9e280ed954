// A KV namespace binding over the model: validates arguments and converts values.

import type { CoreLocation } from "#model";
import { bytesIn } from "../realm.js";
import type { KvModel } from "./model.js";
import type { KvModelListOptions, KvModelNamespace, KvModelPage, KvModelPutOptions } from "./namespace.js";

type Type = "text" | "json" | "arrayBuffer";
type GetOptions = Type | ReadOptions | undefined;
interface ReadOptions {
  type?: Type | undefined;
  cacheTtl?: number | undefined;
}

/** A key, with those of its properties that the operation returns. */
export interface Entry {
  name: string;
  value?: Uint8Array;
  /** As JSON. */
  metadata?: string;
  /** In seconds of Unix time. */
  expiration?: number;
}

/** The operations of the model. */
export interface ModelOperations {
  get(location: Location, key: string, cacheTtl: number | undefined): Promise<Entry | undefined>;
  put(location: Location, key: string, value: Uint8Array, ttl: number | undefined, metadata: string | undefined): Promise<void>;
  delete(location: Location, key: string): Promise<void>;
  list(location: Location, prefix: string, cursor: string | undefined, limit: number | undefined): Promise<KvModelPage>;
}

/** A location and its name. */
export interface Location {
  readonly core: CoreLocation;
  readonly name: string;
}

/** The minimum `cacheTtl` of KV, in seconds. */
const MIN_CACHE_TTL = 30;

/** The maximum number of keys in a page. */
const MAX_LIMIT = 1000;

export class KvBinding implements KvModelNamespace {
  readonly #model: KvModel;
  readonly #operations: ModelOperations;
  readonly #location: Location;

  constructor(model: KvModel, operations: ModelOperations, location: Location) {
    this.#model = model;
    this.#operations = operations;
    this.#location = location;
  }

  get location(): string {
    return this.#location.name;
  }

  async get(key: string, options?: GetOptions): Promise<never> {
    return (await this.getWithMetadata(key, options)).value;
  }

  async getWithMetadata(key: string, options?: GetOptions): Promise<{ value: never; metadata: never; cacheStatus: null }> {
    const { type = "text", cacheTtl }: ReadOptions = typeof options === "string" ? { type: options } : options ?? {};
    if (typeof key !== "string") throw new TypeError("get takes one key, a string");
    if (!Object.hasOwn(decoders, type)) throw new TypeError(`the type of a value is text, json or arrayBuffer, not ${String(type)}`);
    if (cacheTtl !== undefined && !(cacheTtl >= MIN_CACHE_TTL)) {
      throw new Error(`KV GET failed: 400 Invalid cache_ttl of ${String(cacheTtl)}. Cache TTL must be at least ${MIN_CACHE_TTL}.`);
    }
    const entry = await this.#operations.get(this.#location, key, cacheTtl);
    const value = entry?.value && decoders[type](entry.value);
    const metadata: unknown = entry?.metadata === undefined ? null : JSON.parse(entry.metadata);
    return { value: (value ?? null) as never, metadata: metadata as never, cacheStatus: null };
  }

  async put(key: string, value: string | ArrayBuffer | ArrayBufferView, options: KvModelPutOptions = {}): Promise<void> {
    if (typeof key !== "string") throw new TypeError("put takes a key, a string");
    const { expiration, expirationTtl, metadata } = options;
    const ttl = expirationTtl ?? (expiration === undefined ? undefined : expiration - this.#model.now() / 1000);
    const json = metadata === undefined || metadata === null ? undefined : JSON.stringify(metadata);
    await this.#operations.put(this.#location, key, bytesOf(value), ttl, json);
  }

  async delete(key: string): Promise<void> {
    if (typeof key !== "string") throw new TypeError("delete takes one key, a string");
    await this.#operations.delete(this.#location, key);
  }

  async list({ prefix, limit, cursor }: KvModelListOptions = {}): Promise<KvModelPage> {
    if (typeof limit === "number" && !(limit >= 1 && limit <= MAX_LIMIT)) {
      throw new Error(`KV GET failed: 400 Invalid key_count_limit of ${limit}. Please specify an integer between 1 and ${MAX_LIMIT}.`);
    }
    return this.#operations.list(this.#location, prefix ?? "", cursor || undefined, limit ?? undefined);
  }

  invocation(): KvModelNamespace {
    const { core, name } = this.#location;
    return bindingAt(this.#model, this.#operations, { core: core.invocation(), name });
  }

  get time(): KvModelNamespace["time"] {
    return { now: () => this.#model.now(), wait: (milliseconds) => this.#model.sleep(milliseconds) };
  }
}

/** Not in the class: esbuild would call a class that names itself `_KvBinding`. */
function bindingAt(model: KvModel, operations: ModelOperations, location: Location): KvModelNamespace {
  return new KvBinding(model, operations, location);
}

const decoders: Record<Type, (bytes: Uint8Array) => unknown> = {
  text: (bytes) => new TextDecoder().decode(bytes),
  json: (bytes) => JSON.parse(new TextDecoder().decode(bytes)),
  arrayBuffer: (bytes) => bytes.buffer, // a copy of its own
};

function bytesOf(value: unknown): Uint8Array {
  if (typeof value === "string") return new TextEncoder().encode(value);
  const bytes = bytesIn(value);
  if (bytes === undefined) throw new TypeError("put takes a string, an ArrayBuffer or a view of one");
  return bytes;
}
