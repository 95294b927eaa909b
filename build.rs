//! Refuses to build where the video encoder would silently come out three times slower: without nasm its own build
//! leaves the assembly out and only says so in a log that cargo does not show.

#![allow(clippy::print_stdout, reason = "a build script speaks to cargo on standard output")]

use std::env;
use std::process::{Command, Stdio};

fn main() {
    // A failed build script runs again by itself, so nothing else needs watching.
    println!("cargo::rerun-if-changed=build.rs");
    let uses_nasm = matches!(env::var("CARGO_CFG_TARGET_ARCH").as_deref(), Ok("x86" | "x86_64"));
    if uses_nasm && !nasm_runs() {
        println!(
            "cargo::error=nasm is missing, and without it video encoding is three times slower: install nasm, run \
             `cargo clean -p openh264-sys2`, then build again (scripts/run and scripts/test install it for you)."
        );
    }
}

fn nasm_runs() -> bool {
    let nasm = env::var_os("NASM").unwrap_or_else(|| "nasm".into());
    Command::new(nasm)
        .arg("-v")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
