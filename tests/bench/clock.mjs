// What a visit costs is told by the processor time of the process that makes it, all of its threads together: it is steadier
// than the time on the wall, which grows with whatever else the machine does. Linux alone tells it exactly enough.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";

/** Each gives the milliseconds that a process has spent. */
export const clocks = {
  cpu(pid) {
    const tasks = `/proc/${pid}/task`;
    const spent = (task) => Number(readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ")[0]);
    return readdirSync(tasks).reduce((sum, task) => sum + spent(task), 0) / 1e6;
  },
  wall: () => performance.now(),
};

export const usual = existsSync("/proc/self/schedstat") ? "cpu" : "wall";
