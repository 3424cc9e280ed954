// The results of the calls on a user's sessions.

import type { Area } from "./area.js";
import { ValueError } from "./errors.js";
import type { UserSession } from "./types.js";
import { describe } from "./value.js";

type Listed = [id: string, current: boolean, createdAt: number, lastSeenAt: number, label: string];

/** Reads the result of a call on the sessions of a user: those that are listed, and the number of those that ended. */
export function userOutcome(_core: unknown, area: Area): { sessions: UserSession[]; revoked: number } {
  const listed = JSON.parse(area.text()) as [...Listed[], number];
  const revoked = listed.pop() as number;
  const sessions = (listed as Listed[]).map(([id, current, createdAt, lastSeenAt, label]) => ({
    id,
    current,
    createdAt: new Date(createdAt),
    lastSeenAt: new Date(lastSeenAt),
    label: label || undefined,
  }));
  return { sessions: sessions.sort((one, other) => +other.lastSeenAt - +one.lastSeenAt), revoked };
}

/** Checks that an argument is a string without lone surrogates. In UTF-8, all lone surrogates would become the same character. */
export function checkText(what: string, value: unknown): asserts value is string {
  if (typeof value !== "string") throw new ValueError(`${what} must be a string, not ${describe(value)}`);
  if (!value.isWellFormed()) throw new ValueError(`${what} contains a lone surrogate`);
}
