//! The table in `docs/faults.md` and the tests are the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Names of tests in a file.
fn tests_of(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("a test file");
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
            names.extend(rest.split('(').next().map(str::to_owned));
            is_test = false;
        }
    }
    names
}

fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            files(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(path);
        }
    }
}

#[test]
fn every_row_of_the_table_names_a_test_and_every_test_here_has_a_row() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/faults.md")).expect("docs/faults.md");
    let rows = text.lines().filter(|line| line.starts_with("| ")).filter_map(|line| line.rsplit('|').nth(1));
    let named: BTreeSet<String> = rows
        .flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .filter(|name| !name.contains(' ') && !name.contains('/'))
        .collect();
    assert!(named.len() > 30, "{named:?}");
    let mut all = Vec::new();
    for folder in ["tests", "mqtt-lab-core", "mqtt-lab-web", "mqtt-lab-plugins", "firmware", "src"] {
        files(&root.join(folder), &mut all);
    }
    let known: BTreeSet<String> = all.iter().flat_map(|file| tests_of(file)).collect();
    let missing: Vec<_> = named.difference(&known).collect();
    assert!(missing.is_empty(), "rows without a test: {missing:#?}");
    let mut here = Vec::new();
    files(&root.join("tests/faults"), &mut here);
    let here: BTreeSet<String> = here.iter().flat_map(|file| tests_of(file)).collect();
    let own = "every_row_of_the_table_names_a_test_and_every_test_here_has_a_row";
    let unlisted: Vec<_> = here.difference(&named).filter(|name| *name != own).collect();
    assert!(unlisted.is_empty(), "tests without a row: {unlisted:#?}");
}
