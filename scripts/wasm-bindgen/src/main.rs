//! Generates the JavaScript of a crate that was compiled to WebAssembly: `edge-session-wasm-bindgen worker|package <wasm> <name> <folder>`.

use std::{env, error::Error};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [target, wasm, name, folder] = arguments.as_slice() else { return Err("Expected four arguments.".into()) };
    let mut bindgen = Bindgen::new();
    match target.as_str() {
        "worker" => bindgen.module(true)?.reset_state_function(true).force_enable_abort_handler(true),
        "package" => bindgen.web(true)?.omit_default_module_path(true).typescript(true),
        _ => return Err(format!("Unknown target `{target}`. Known targets: worker, package.").into()),
    };
    Ok(bindgen.input_path(wasm).out_name(name).generate(folder)?)
}
