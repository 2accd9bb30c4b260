//! How a panic is reported.

use std::io::Write;
use std::panic;
use std::sync::Once;

/// Reports panics in one line on stderr, and never with a backtrace.
///
/// The standard hook prints a backtrace if `RUST_BACKTRACE` is set, and holds a lock while it does. A backtrace
/// allocates. Where memory ran out (`PyO3` panics if Python cannot make an object), that allocation fails too, and
/// the handler of failed allocations waits for the same lock: the process would hang. The hook is this module's
/// own, because each extension module has its own copy of Rust's standard library.
///
/// Whatever parses calls it, and the first call counts. It is not called when the module is loaded, because `PyO3`
/// then marks the stub as incomplete.
pub(crate) fn report_without_backtrace() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            // Not `eprintln!`, which panics if stderr cannot be written.
            let _ = writeln!(std::io::stderr(), "hangang: {info}");
        }));
    });
}
