// The options and the counters of a KV model.

/**
 * The options of a `KvModel`. Times are in milliseconds, probabilities from 0 to 1. The defaults are those of Workers KV on a normal day.
 */
export interface KvModelOptions {
  /** The seed of all random choices: an integer. Default 0. */
  seed?: number | undefined;
  /** The start of virtual time: a date, or milliseconds of Unix time. Default 1 January 2030. */
  start?: Date | number | undefined;
  /**
   * True for KV on a bad day: about one operation in a hundred has a fault, of every kind that occurs at random. Other options override
   * this. Default false.
   */
  hostile?: boolean | undefined;
  /** The time for which a location caches reads without a `cacheTtl`, including misses. 0 disables all caches. Default 60 000. */
  cacheTtl?: number | undefined;
  /** The time within which half of the writes reach another location. Default 10 000. */
  typicalPropagation?: number | undefined;
  /** The time within which all writes do. KV guarantees none. Default 60 000. */
  maxPropagation?: number | undefined;
  /** The probability that a write becomes visible at its own location only after a propagation time. Default 0.1. */
  locallyInvisible?: number | undefined;
  /** The minimum and maximum duration of an operation, which is applied at some time within it. Default [5, 80]. */
  latency?: readonly [min: number, max: number] | undefined;
  /** The probability that an operation takes `slowLatency` instead. Default 0.01. */
  slow?: number | undefined;
  /** The minimum and maximum duration of a slow operation. Default [1000, 10 000]. */
  slowLatency?: readonly [min: number, max: number] | undefined;
  /** The minimum time between two puts of one key. A put before that fails with 429. Default 1000. */
  writeInterval?: number | undefined;
  /** True if deletes also count for `writeInterval`, which KV does not document. Default false. */
  limitsDeletes?: boolean | undefined;
  /** The maximum number of keys in one page of a list. Default 1000. */
  pageSize?: number | undefined;
  /** The probability that a read fails. Default 0. */
  failingReads?: number | undefined;
  /** The probability that a put fails and is not applied. Default 0. */
  failingPuts?: number | undefined;
  /** The probability that a put is applied, but fails. Default 0. */
  putsAppliedButFailed?: number | undefined;
  /** The probability that a put fails, but is applied later and overwrites the puts made meanwhile. Default 0. */
  latePuts?: number | undefined;
  /** The probability that a delete fails and is not applied. Default 0. */
  failingDeletes?: number | undefined;
  /** The probability that a delete fails, but is applied later. Default 0. */
  lateDeletes?: number | undefined;
  /** The minimum and maximum delay of a late put or delete. Default [1000, 20 000]. */
  lateness?: readonly [min: number, max: number] | undefined;
  /** The probability that an operation never completes. Default 0. */
  hanging?: number | undefined;
  /** The probability that a list fails. Default 0. */
  failingLists?: number | undefined;
  /** The probability that a page is empty although the list continues. Default 0. */
  emptyPages?: number | undefined;
}

/** The options that can be changed while a model runs. */
export type KvModelChanges = Omit<KvModelOptions, "seed" | "start" | "hostile">;

/** The numbers of started operations, including failed ones. */
export interface OperationCounts {
  gets: number;
  puts: number;
  deletes: number;
  lists: number;
}
