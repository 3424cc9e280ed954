// The two wasm modules from outside: what each can call and can be called with, and that neither holds anything of the tests or
// of the machine that built it. Whoever adds to a list says in the commit what needs it.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { test } from "node:test";
import { root } from "../../../scripts/project.mjs";
import { read } from "./serve.mjs";

const worker = new WebAssembly.Module(read("worker/build/index_bg.wasm"));
const npm = new WebAssembly.Module(read("dist/edge-session.wasm"));
/** The package's module before its exports are shortened. */
const named = new WebAssembly.Module(read("target/npm/core_bg.wasm"));

const words = (text) => text.trim().split(/\s+/).sort();
/** A name without wasm-bindgen's prefix, and without the hash or number at its end. */
const plain = (name) => name.replace(/^__wbg_/, "").replace(/(__h|_)[0-9a-f]{16}$/, "");
const names = (entries) => [...new Set(entries.map(({ name }) => plain(name)))].sort();
const imports = (module) => names(WebAssembly.Module.imports(module));
const exports = (module) => names(WebAssembly.Module.exports(module));

// I9
test("the Worker calls nothing but these", () => {
  assert.deepEqual(imports(worker), words(`
    __wbindgen_boolean_get __wbindgen_debug_string __wbindgen_is_falsy __wbindgen_is_function __wbindgen_is_null __wbindgen_is_null_or_undefined
    __wbindgen_is_object __wbindgen_is_undefined __wbindgen_number_get __wbindgen_reinit
    __wbindgen_string_get __wbindgen_throw __wbindgen_generic __wbindgen_init_externref_table __wbindgen_jstag __wbindgen_jsval_eq
    __wbindgen_rethrow_critical _wbg_cb_unref
    Error String all allSettled append apply body buffer byobRequest byteLength byteOffset call cancel catch cause clearTimeout close cron delete enqueue
    error from get getRandomValues getReader get_done get_unchecked get_value headers instanceId instanceof_ArrayBuffer
    instanceof_Error isArray keys length log message method name new new_from_slice new_typed
    new_with_byte_offset_and_length new_with_headers new_with_length new_with_opt_buffer_source_and_init
    new_with_opt_readable_stream_and_init new_with_opt_str_and_init now of prototypesetcall push queueMicrotask read reject releaseLock
    resolve respond scheduledTime set set_criticalError set_headers set_instanceId setTimeout set_status static_accessor_GLOBAL
    static_accessor_GLOBAL_THIS static_accessor_INIT_STATE static_accessor_SELF static_accessor_WINDOW stringify then url view
  `));
});

// I9
test("the Worker can be called with nothing but these: its two events, and what the crate worker brings along", () => {
  assert.deepEqual(exports(worker), words(`
    fetch scheduled init memory __worker_init_state
    __abort_handler __externref_drop_slice __externref_table_alloc __externref_table_dealloc __instance_signal
    __instance_terminated __wbindgen_destroy_closure __wbindgen_export __wbindgen_externrefs __wbindgen_free
    __wbindgen_malloc __wbindgen_realloc __wbindgen_start wasm_bindgen__convert__closures_____invoke
    containerstartupoptions_free get_containerstartupoptions_enableInternet get_containerstartupoptions_entrypoint
    get_containerstartupoptions_env set_containerstartupoptions_enableInternet set_containerstartupoptions_entrypoint
    set_containerstartupoptions_env minifyconfig_free get_minifyconfig_css get_minifyconfig_html get_minifyconfig_js
    set_minifyconfig_css set_minifyconfig_html set_minifyconfig_js r2range_free get_r2range_length get_r2range_offset
    get_r2range_suffix set_r2range_length set_r2range_offset set_r2range_suffix
    intounderlyingbytesource_autoAllocateChunkSize intounderlyingbytesource_cancel intounderlyingbytesource_free
    intounderlyingbytesource_pull intounderlyingbytesource_start intounderlyingbytesource_type
    intounderlyingsink_abort intounderlyingsink_close intounderlyingsink_free intounderlyingsink_write
    intounderlyingsource_cancel intounderlyingsource_free intounderlyingsource_pull
  `));
});

// I9: neither clock nor random source nor the platform's objects; time, randomness and stored bytes are given to it
test("the package's core calls nothing but wasm-bindgen's own five", () => {
  assert.deepEqual(imports(npm), words("__wbindgen_generic __wbindgen_init_externref_table __wbindgen_memory __wbindgen_reinit __wbindgen_throw"));
});

// I9
test("the package's core can be called with nothing but these", () => {
  assert.deepEqual(exports(named), words(`
    memory __abort_handler __externref_table_dealloc __instance_terminated __wbindgen_externrefs __wbindgen_free
    __wbindgen_malloc __wbindgen_realloc __wbindgen_start
    cacheControl sharedCacheHeaders reinitialise vary
    corememory_free corememory_new coresettings_free coresettings_new coresettings_seed coresettings_session coresettings_sign coresettings_verify
    coresession_addListEntry coresession_clear coresession_close coresession_complete
    coresession_completeList coresession_completeRead coresession_create coresession_cursor coresession_cycleKey
    coresession_discard coresession_flags coresession_free coresession_get coresession_getExpireAtBrowserClose
    coresession_getExpiryAge coresession_getExpiryDate coresession_has
    coresession_initFromKey coresession_isNew coresession_keys coresession_loadReason coresession_nextEvent
    coresession_report coresession_sessionKey coresession_set
    coresession_setExpiry coresession_setModified coresession_setNow coresession_setSweepCursor
    recordMembers coresession_bindUser coresession_idOf coresession_startUserCall coresession_startRevokeOthers coresession_start coresession_load coresession_removed coresession_takeError coresession_touch coresession_touchNothing
    coresettings_areaAddress coresettings_reserveArea wasmMemory
  `));
  const kinds = (module) => WebAssembly.Module.exports(module).map(({ kind }) => kind).sort();
  assert.deepEqual(kinds(npm), kinds(named));
});

// J8
test("neither upload holds a hook of the tests, a path of this machine, or names for a debugger", () => {
  const uploads = [
    ...["index.js", "index_bg.wasm"].map((name) => `worker/build/${name}`),
    ...readdirSync(`${root}/dist`).filter((name) => /\.(wasm|c?js|map)$/.test(name)).map((name) => `dist/${name}`),
  ];
  assert.ok(uploads.length > 5);
  const foreign = ["panic now", "as the test wants it", "tests/", root, homedir(), `${homedir()}/.cargo`, "/home/", "/Users/", "C:\\"];
  for (const path of uploads) {
    const text = read(path).toString("latin1");
    for (const what of foreign) assert.ok(!text.includes(what), `${path} holds ${JSON.stringify(what)}`);
  }
  for (const module of [worker, npm]) {
    for (const section of ["name", "producers", ".debug_info", "sourceMappingURL"]) {
      assert.deepEqual(WebAssembly.Module.customSections(module, section), []);
    }
  }
});

// J8: the scan finds the hook in the build that has it
test("the tests' own Worker does hold their hook", () => {
  assert.ok(read("tests/packages/rust-pages/build/index_bg.wasm").includes("as the test wants it"));
});
