// The interface of a modelled KV namespace: the methods of a Worker's binding.

/** Options of a read. */
export interface KvModelReadOptions<Type extends string> {
  type: Type;
  /** The seconds for which the location may answer from its cache: 30 or more. Default: the `cacheTtl` of the model. */
  cacheTtl?: number | undefined;
}

/** Options of a put. */
export interface KvModelPutOptions {
  /** The expiration in seconds of Unix time, in virtual time: at least 60 from now. */
  expiration?: number | undefined;
  /** The lifetime in seconds: 60 or more. */
  expirationTtl?: number | undefined;
  /** A JSON value of at most 1024 bytes. */
  metadata?: unknown;
}

/** Options of a list. */
export interface KvModelListOptions {
  /** The prefix of the keys. */
  prefix?: string | null | undefined;
  /** The maximum number of keys: 1000 or less. */
  limit?: number | null | undefined;
  /** The `cursor` of the page before. */
  cursor?: string | null | undefined;
}

/** One page of a list. */
export interface KvModelPage {
  keys: { name: string; expiration?: number; metadata?: unknown }[];
  list_complete: boolean;
  /** The start of the next page, unless the list is complete. */
  cursor?: string;
}

/**
 * A KV namespace at one location, as in the environment of a Worker. Virtual time passes, without delay, while a call is awaited.
 *
 * @example
 * const response = await worker.fetch(request, { SESSIONS: model.at("AMS"), SESSION_SECRET: "…" }, context);
 */
export interface KvModelNamespace {
  /** The name of the location. */
  readonly location: string;
  get(key: string, options?: "text" | { type?: "text" | undefined; cacheTtl?: number | undefined }): Promise<string | null>;
  get<T = unknown>(key: string, options: "json" | KvModelReadOptions<"json">): Promise<T | null>;
  get(key: string, options: "arrayBuffer" | KvModelReadOptions<"arrayBuffer">): Promise<ArrayBuffer | null>;
  getWithMetadata<M = unknown>(
    key: string,
    options?: "text" | { type?: "text" | undefined; cacheTtl?: number | undefined },
  ): Promise<{ value: string | null; metadata: M | null; cacheStatus: null }>;
  getWithMetadata<T = unknown, M = unknown>(
    key: string,
    options: "json" | KvModelReadOptions<"json">,
  ): Promise<{ value: T | null; metadata: M | null; cacheStatus: null }>;
  getWithMetadata<M = unknown>(
    key: string,
    options: "arrayBuffer" | KvModelReadOptions<"arrayBuffer">,
  ): Promise<{ value: ArrayBuffer | null; metadata: M | null; cacheStatus: null }>;
  put(key: string, value: string | ArrayBuffer | ArrayBufferView, options?: KvModelPutOptions): Promise<void>;
  delete(key: string): Promise<void>;
  list(options?: KvModelListOptions): Promise<KvModelPage>;
  /**
   * Returns the same location for one invocation of a Worker, which may perform 1000 operations.
   *
   * @example
   * await worker.scheduled(controller, { SESSIONS: model.at("AMS").invocation() });
   */
  invocation(): KvModelNamespace;
  /** The virtual time of the model. Sessions in `kv(namespace)` use it. */
  readonly time: { now(): number; wait(milliseconds: number): Promise<void> };
}
