#!/bin/sh
# Checks that the crate compiles with the oldest Rust that Cargo.toml promises (rust-version).
#
# The compiler is, in this order: $MSRV_RUSTC; rustup's toolchain of that version; Debian's rustc-web of that version,
# downloaded and unpacked into target/msrv. Without one of them only clippy's `incompatible_msrv` looks.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
folder=target/msrv

cargo clippy --locked --quiet -p hangang -p hangang-python -- -D clippy::incompatible_msrv
echo "clippy: nothing newer than Rust $version in the standard library's names"

rustc=${MSRV_RUSTC:-}
if [ -z "$rustc" ] && command -v rustup >/dev/null; then
    rustc=$(rustup which --toolchain "$version" rustc 2>/dev/null) || rustc=
fi
if [ -z "$rustc" ] && command -v apt-get >/dev/null && apt-cache policy rustc-web | grep -q "Candidate: $version"; then
    if [ ! -x "$folder/usr/bin/rustc" ]; then
        mkdir -p "$folder"
        (cd "$folder" && apt-get -q download rustc-web libstd-rust-web-dev "libstd-rust-web-$version" libllvm19 &&
            for package in *.deb; do dpkg-deb -x "$package" .; done)
    fi
    rustc=$PWD/$folder/usr/bin/rustc
    # Its libraries are spread over folders: all that hold one.
    LD_LIBRARY_PATH=$(find "$PWD/$folder/usr/lib" -name '*.so*' -printf '%h\n' | sort -u | paste -s -d :)
    export LD_LIBRARY_PATH
fi
if [ -z "$rustc" ]; then
    echo "skipped: no rustc $version here (rustup toolchain install $version, or set MSRV_RUSTC)"
    exit 0
fi
"$rustc" --version | grep -q " $version" || { echo "$rustc is not Rust $version"; exit 1; }
RUSTC=$rustc CARGO_TARGET_DIR=target/msrv-check cargo check --locked -p hangang
echo "cargo check: $("$rustc" --version)"
