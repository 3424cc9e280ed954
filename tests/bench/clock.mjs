// The cost of a visit is the processor time of all threads of its process, which is steadier
// than the elapsed time, which depends on other load. Only Linux reports it with enough precision.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";

/** Each returns the processor time of a process in milliseconds. */
export const clocks = {
  cpu(pid) {
    const tasks = `/proc/${pid}/task`;
    const spent = (task) => Number(readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ")[0]);
    return readdirSync(tasks).reduce((sum, task) => sum + spent(task), 0) / 1e6;
  },
  wall: () => performance.now(),
};

export const usual = existsSync("/proc/self/schedstat") ? "cpu" : "wall";
