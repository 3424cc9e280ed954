import { getCloudflareContext } from "@opennextjs/cloudflare";
import { optionsOf } from "../bindings.mjs";

export const options = () => optionsOf(getCloudflareContext().env);
