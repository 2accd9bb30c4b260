#!/usr/bin/env bash
# The Python tests on a module that was built with AddressSanitizer: `make asan`.
#
#     tests/support/asan.sh PYTHON [ARGUMENTS OF PYTEST]
#
# It runs in a copy of the checkout, where the sanitized module is the only one: a child process that is started without
# the runtime cannot import it, so nothing runs unsanitized unnoticed.
set -euo pipefail
cd "$(dirname "$0")/../.."
python="$PWD/$1"
shift
work="$PWD/build/asan"
rm -rf "$work"
mkdir -p "$work/tree" "$work/reports"

host="$(rustc -vV | sed -n 's/^host: //p')"
# The flag is unstable. Where a target is named, build scripts are not sanitized. LTO would only take its time.
RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address CARGO_PROFILE_RELEASE_LTO=off CARGO_TARGET_DIR=target/asan \
    cargo build --release --locked --target "$host" -p hangang-python
tar -c --exclude=./.git --exclude=./.venv --exclude=./build --exclude=target --exclude=./rust/fuzz/work \
    --exclude='_native*.so' . | tar -x -C "$work/tree"
module="$work/tree/python/hangang/_native.abi3.so"
cp "target/asan/$host/release/lib_native.so" "$module"
grep -q __asan_report_load "$module" || { echo "the module is not sanitized" >&2; exit 1; }

# The runtime finds C++ exceptions, which matplotlib throws, only where their library was there before it.
runtime="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so.6)"
# PyO3 makes the classes once, when the module is loaded, and keeps what they point to.
echo "leak:module_exec" > "$work/leaks.txt"

# Reports go to files, for a test may expect that its child fails. A fault aborts; a process with leaks ends as it would
# have, because most are Python's own. Python allocates by malloc, which the sanitizer sees. Memory is mostly the
# sanitizer's, so its peaks are not judged.
sanitized() {
    (
        cd "$work/tree"
        env LD_PRELOAD="$runtime" PYTHONMALLOC=malloc PYTHONPATH="$work/tree/python" \
            ASAN_OPTIONS="detect_leaks=1:abort_on_error=1:log_path='$work/reports/asan'" \
            LSAN_OPTIONS="exitcode=0:print_suppressions=0:suppressions='$work/leaks.txt'" \
            HANGANG_REQUIRE_NATIVE=1 HANGANG_TEST_NO_PEAKS=1 "$python" "$@"
    )
}

# The files of the reports that count: every fault, and the leaks in which the module takes part.
reports() { grep -lrE 'ERROR: AddressSanitizer|AddressSanitizer: CHECK|_native\.abi3' "$work/reports" || true; }

# A read behind the end of a buffer must be seen, or the rest proves nothing.
sanitized -c 'import ctypes; ctypes.memmove(bytes(4096), ctypes.create_string_buffer(8), 4096)' && seen=no || seen=yes
[ "$seen" = yes ] && [ -n "$(reports)" ] || { echo "the sanitizer sees nothing" >&2; exit 1; }
rm "$work/reports"/*

# pytest's fault handler would take the place of the sanitizer's.
status=0
sanitized -m pytest -n auto --dist worksteal -p no:faulthandler --timeout 3600 "$@" || status=$?
for report in $(reports); do
    cat "$report" >&2
    status=1
done
exit "$status"
