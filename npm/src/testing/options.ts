// How a modelled KV behaves, as its users write it.

/** How a `KvModel` behaves. Times are milliseconds, probabilities go from 0 to 1; the defaults are Workers KV on an ordinary day. */
export interface KvModelOptions {
  /** What all chance follows from: a whole number. Default 0. */
  seed?: number | undefined;
  /** The date at which virtual time begins, or its milliseconds of Unix time. Default 1 January 2030. */
  start?: Date | number | undefined;
  /**
   * KV on a bad day: one operation in a hundred or so goes wrong, in every way that it can by itself. What else is given here
   * goes over it. Default false.
   */
  hostile?: boolean | undefined;
  /** How long a location answers reads without a `cacheTtl` from its cache, misses too. With 0 nothing is cached for any. Default 60 000. */
  cacheTtl?: number | undefined;
  /** Half of the writes reach another location within this time. Default 10 000. */
  typicalPropagation?: number | undefined;
  /** All of them within this one; KV promises none. Default 60 000. */
  maxPropagation?: number | undefined;
  /** How many writes are not seen at once where they were made, but only after a propagation time. Default 0.1. */
  locallyInvisible?: number | undefined;
  /** The least and the most that an operation takes; it is applied at some moment in between. Default [5, 80]. */
  latency?: readonly [least: number, most: number] | undefined;
  /** How many operations take one of `slowLatency` instead. Default 0.01. */
  slow?: number | undefined;
  /** Default [1000, 10 000]. */
  slowLatency?: readonly [least: number, most: number] | undefined;
  /** A key that was put less than this ago refuses the next put with 429. Default 1000. */
  writeInterval?: number | undefined;
  /** Whether deletes count as writes there: KV does not say. Default false. */
  limitsDeletes?: boolean | undefined;
  /** How many keys a list gives at once. Default 1000. */
  pageSize?: number | undefined;
  /** How many reads fail. Default 0. */
  failingReads?: number | undefined;
  /** How many puts fail and are not applied. Default 0. */
  failingPuts?: number | undefined;
  /** How many puts are applied and answered with an error all the same. Default 0. */
  putsAppliedButFailed?: number | undefined;
  /** How many puts are answered with an error and land later, over what was put meanwhile. Default 0. */
  latePuts?: number | undefined;
  /** How many deletes fail and are not applied. Default 0. */
  failingDeletes?: number | undefined;
  /** How many deletes are answered with an error and land later. Default 0. */
  lateDeletes?: number | undefined;
  /** How late they land, at least and at most. Default [1000, 20 000]. */
  lateness?: readonly [least: number, most: number] | undefined;
  /** How many operations are never answered. Default 0. */
  hanging?: number | undefined;
  /** How many lists fail. Default 0. */
  failingLists?: number | undefined;
  /** How many pages of a list are empty though it goes on. Default 0. */
  emptyPages?: number | undefined;
}

/** What can be changed while a model runs. */
export type KvModelChanges = Omit<KvModelOptions, "seed" | "start" | "hostile">;

/** How many operations were begun, those that failed too. */
export interface OperationCounts {
  gets: number;
  puts: number;
  deletes: number;
  lists: number;
}
