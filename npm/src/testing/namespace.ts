// A namespace as a Worker's binding shows it: KV's calls in their common forms.

/** How a value is read. */
export interface KvModelReadOptions<Type extends string> {
  type: Type;
  /** For how many seconds the location may answer from its cache: 30 or more. Default: the model's. */
  cacheTtl?: number | undefined;
}

/** What a value is put with. */
export interface KvModelPutOptions {
  /** When it ends, in seconds of Unix time, of the model's: 60 or more from now. */
  expiration?: number | undefined;
  /** After how many seconds it ends: 60 or more. */
  expirationTtl?: number | undefined;
  /** What JSON holds, in 1024 bytes at most. */
  metadata?: unknown;
}

/** What is listed. */
export interface KvModelListOptions {
  /** What the keys begin with. */
  prefix?: string | null | undefined;
  /** How many of them at most: 1000 or fewer. */
  limit?: number | null | undefined;
  /** Where the page before ended. */
  cursor?: string | null | undefined;
}

/** One page of a list. */
export interface KvModelPage {
  keys: { name: string; expiration?: number; metadata?: unknown }[];
  list_complete: boolean;
  /** From where the list goes on, where it is not complete. */
  cursor?: string;
}

/**
 * A namespace as it is seen from one location: what a Worker has in its environment. Time passes while something is waited for,
 * and then at once.
 *
 * @example
 * const response = await worker.fetch(request, { SESSIONS: model.at("AMS"), SESSION_SECRET: "…" }, context);
 */
export interface KvModelNamespace {
  /** The location's name. */
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
   * The same location for one invocation of a Worker, which has 1000 operations.
   *
   * @example
   * await worker.scheduled(controller, { SESSIONS: model.at("AMS").invocation() });
   */
  invocation(): KvModelNamespace;
  /** The model's time: sessions in `kv(namespace)` live by it. */
  readonly time: { now(): number; wait(milliseconds: number): Promise<void> };
}
