// Stack traces that begin at the application's call, without the frames of this package above it.

/** The functions that applications call. */
const publicFunctions: Function[] = [];

/** What the engines of Node, Deno and workerd, of Bun, and of some browsers have on `Error`. */
interface StackTraces {
  captureStackTrace?(error: object, below: Function): void;
  stackTraceLimit?: number;
}

/** More than the frames of this package: the check of a value calls itself for each level. */
const MAX_FRAMES = 300;

/** Registers functions that applications call, and the methods, getters and setters of classes. */
export function registerPublic(...called: Function[]): void {
  for (const each of called) {
    publicFunctions.push(each);
    for (const [name, { value, get, set }] of Object.entries(Object.getOwnPropertyDescriptors(each.prototype ?? {}))) {
      if (name === "run") continue; // it calls the application, whose frames stay
      publicFunctions.push(...[value, get, set].filter((found) => typeof found === "function"));
    }
  }
}

/**
 * Begins the stack trace of an error at the call of the outermost public function, if the engine can. Returns the error.
 *
 * @param internal A function of this package that counts as public, for an operation that goes on after an `await`.
 */
export function beginAtCall<E extends Error>(error: E, internal?: Function): E {
  const { captureStackTrace, stackTraceLimit } = Error as StackTraces;
  if (!captureStackTrace || !stackTraceLimit) return error;
  const stackBelow = (called: Function): string => {
    const probe = { stack: "" };
    captureStackTrace(probe, called);
    return probe.stack;
  };
  let call: Function | undefined;
  try {
    (Error as StackTraces).stackTraceLimit = MAX_FRAMES;
    const text = stackBelow(beginAtCall);
    let fewest = Infinity;
    for (const candidate of internal ? [...publicFunctions, internal] : publicFunctions) {
      if (!text.includes(`${candidate.name} `)) continue; // most of them, which saves their captures
      const frames = stackBelow(candidate).split("\n    at ").length - 1; // 0 if it was not called
      if (frames > 0 && frames < fewest) [call, fewest] = [candidate, frames];
    }
  } catch {
    return error; // the application has frozen Error, or formats stack traces in its own way
  } finally {
    if (!Object.isFrozen(Error)) (Error as StackTraces).stackTraceLimit = stackTraceLimit;
  }
  if (call) captureStackTrace(error, call);
  return error;
}
