// The drivers of the comparison with Django besides the package: a Python with Django, and the program for the crate.

import { join } from "node:path";
import { Stop } from "../../scripts/print.mjs";
import { root } from "../../scripts/project.mjs";
import { run } from "../../scripts/run.mjs";
import { python } from "../../scripts/tools.mjs";

/** Builds the crate's driver, and returns the environment for the tests in tests/django. */
export async function djangoDrivers({ cwd = root, target = join(cwd, "target"), quiet = false } = {}) {
  const args = ["build", "--example", "django-driver"];
  const { code, output } = await run("cargo", args, { cwd, quiet, env: { CARGO_TARGET_DIR: target } });
  if (code && quiet) process.stderr.write(output);
  if (code) throw new Stop("The crate's driver could not be built. Read cargo's message above, then start again.");
  return { DJANGO_PYTHON: python(), DJANGO_DRIVER: join(target, "debug", "examples", "django-driver") };
}
