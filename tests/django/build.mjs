// What the comparison with Django needs besides the package: a Python that has Django, and the program that asks the crate.

import { join } from "node:path";
import { Stop } from "../../scripts/print.mjs";
import { root } from "../../scripts/project.mjs";
import { run } from "../../scripts/run.mjs";
import { python } from "../../scripts/tools.mjs";

/** Builds the crate's driver, and gives the environment that the tests in tests/django read. */
export async function djangoDrivers({ cwd = root, target = join(cwd, "target"), quiet = false } = {}) {
  const args = ["build", "--example", "django-driver"];
  const { code, output } = await run("cargo", args, { cwd, quiet, env: { CARGO_TARGET_DIR: target } });
  if (code && quiet) process.stderr.write(output);
  if (code) throw new Stop("The program that asks the crate could not be built. Read cargo's message above, then start again.");
  return { DJANGO_PYTHON: python(), DJANGO_DRIVER: join(target, "debug", "examples", "django-driver") };
}
