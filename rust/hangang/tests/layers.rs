//! The layers of the crate: each module imports only modules above it in this list, and dialects import nothing of each
//! other. Read from the `use` lines, so that a circle cannot come back unseen.

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. `ROOMS` has the order inside folders.
const LAYERS: [&str; 11] = [
    "service", "error", "span", "json", "framing", "predict", "dialect", "dialects", "parser", "events",
    "whole",
];
/// The files of a folder, again from the ground up.
const ROOMS: [(&str, &[&str]); 3] = [
    ("framing", &["mod", "bom", "detect", "event_id", "frame", "sse", "json_stream"]),
    ("predict", &["mod", "budget", "common", "template", "in_flight"]),
    ("dialects", &["mod", "debug", "wire", "thinking_tags", "clova", "exaone", "openai", "a2a"]),
];
/// Dialects are side by side: none is above another.
const DIALECTS: [&str; 4] = ["clova", "exaone", "openai", "a2a"];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}

/// The paths, as lists of names, that a source file imports from the crate: `use crate::a::{b, c}` is `a::{b, c}`.
fn imports(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    for start in ["use crate::", "use super::"] {
        for (at, _) in code.match_indices(start) {
            let path = &code[at + 4..];
            let end = path.find(';').expect("a semicolon");
            found.push(path[..end].replace(['\n', ' '], ""));
        }
    }
    found
}

#[test]
fn each_module_imports_only_what_is_below_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let layer = |name: &str| LAYERS.iter().position(|&layer| layer == name);
    let mut checked = 0;
    for path in files(&src) {
        let relative = path.strip_prefix(&src).expect("in src").with_extension("");
        let parts: Vec<_> = relative.iter().map(|part| part.to_str().expect("UTF-8")).collect();
        if parts == ["lib"] {
            continue;
        }
        let own = layer(parts[0]).unwrap_or_else(|| panic!("{relative:?} has no layer"));
        for import in imports(&fs::read_to_string(&path).expect("a readable file")) {
            let names: Vec<_> = import.split("::").collect();
            match names[..] {
                ["crate", first, ..] => {
                    let other = layer(first).unwrap_or_else(|| panic!("{relative:?}: {import} has no layer"));
                    assert!(other < own, "{relative:?} imports {import}, which is not below it");
                }
                ["super", first, ..] => {
                    let (_, room) =
                        ROOMS.iter().find(|(folder, _)| *folder == parts[0]).expect("a folder with an order");
                    let place = |name: &str| room.iter().position(|&file| file == name);
                    let name = first;
                    // An item of the folder's own module, or one of its files.
                    let Some(other) = place(name) else { continue };
                    let here = place(parts[1]).unwrap_or_else(|| panic!("{relative:?} has no place"));
                    let beside = DIALECTS.contains(&name) && DIALECTS.contains(&parts[1]);
                    let is_top = parts[1] == "mod";
                    assert!(
                        is_top || (other < here && !beside),
                        "{relative:?} imports {import}, which is not below it"
                    );
                }
                _ => panic!("{relative:?}: an import of another form: {import}"),
            }
            checked += 1;
        }
    }
    assert!(checked > 30, "only {checked} imports found");
}
