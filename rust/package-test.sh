#!/bin/sh
# Runs the crate's tests from its packed form, as somebody has it who downloads it: outside the workspace, with the
# files of the archive only.
set -eu
cd "$(dirname "$0")/.."
cargo package --locked --quiet -p hangang --allow-dirty --no-verify
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
tar -xzf "target/package/hangang-$version.crate" -C "$folder"
# As the workspace does, which the packed crate has left: unoptimized, the vectors take longer than the optimizer.
export CARGO_PROFILE_TEST_OPT_LEVEL=1
CARGO_TARGET_DIR=$PWD/target/package-test cargo test --locked --manifest-path "$folder/hangang-$version/Cargo.toml"
