import { defineHandler } from "nitro/h3";
import { home } from "../../pages.mjs";

export default defineHandler(({ context }) => home(context.session));
