// This package on its store in memory, without KV.

import { memory } from "../../../dist/node.js";
import { contenderOn } from "./edge-session.mjs";

export default function edgeSessionMemory() {
  return contenderOn(memory());
}
