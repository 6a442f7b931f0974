//! The page's files, embedded in the program. A test compares the list with the folder `assets/`.

use std::collections::HashMap;

/// All files by their path, `/` included.
#[derive(Debug)]
pub(crate) struct Assets(HashMap<&'static str, Asset>);

/// A file as it is served.
#[derive(Debug)]
pub(crate) struct Asset {
    pub(crate) bytes: &'static [u8],
    pub(crate) content_type: &'static str,
    /// Weak: the same file travels compressed and not.
    pub(crate) etag: String,
}

macro_rules! files {
    ($($path:literal)*) => {
        &[$(($path, include_bytes!(concat!("../assets", $path)))),*]
    };
}

/// Path and content.
type File = (&'static str, &'static [u8]);

#[rustfmt::skip]
const FILES: &[File] = files! {
    "/css/base.css"
    "/css/card.css"
    "/css/clients.css"
    "/css/controls.css"
    "/css/dark.css"
    "/css/device.css"
    "/css/header.css"
    "/css/lab-notice.css"
    "/css/status.css"
    "/css/topics.css"
    "/css/variables.css"
    "/i18n/clients.de.json"
    "/i18n/clients.en.json"
    "/i18n/de.json"
    "/i18n/en.json"
    "/i18n/parts.de.json"
    "/i18n/parts.en.json"
    "/i18n/problems.de.json"
    "/i18n/status.de.json"
    "/i18n/status.en.json"
    "/i18n/topics.de.json"
    "/i18n/topics.en.json"
    "/i18n/variables.de.json"
    "/i18n/variables.en.json"
    "/icon.svg"
    "/index.html"
    "/js/announce.js"
    "/js/api.js"
    "/js/cadence.js"
    "/js/card.js"
    "/js/channel.js"
    "/js/chart.js"
    "/js/clients.js"
    "/js/clock.js"
    "/js/controls.js"
    "/js/dashboard.js"
    "/js/device-charts.js"
    "/js/device-controls.js"
    "/js/device-manage.js"
    "/js/device-plug.js"
    "/js/device-tables.js"
    "/js/device.js"
    "/js/dom.js"
    "/js/early.js"
    "/js/format.js"
    "/js/groups.js"
    "/js/header.js"
    "/js/history-chart.js"
    "/js/i18n.js"
    "/js/inputs.js"
    "/js/lab-notice.js"
    "/js/live.js"
    "/js/login.js"
    "/js/main.js"
    "/js/names.js"
    "/js/notice-parts.js"
    "/js/notice.js"
    "/js/paint.js"
    "/js/parts.js"
    "/js/places.js"
    "/js/plot.js"
    "/js/plugin.js"
    "/js/pretty-json.js"
    "/js/problem.js"
    "/js/repeat.js"
    "/js/router.js"
    "/js/scale.js"
    "/js/search.js"
    "/js/series.js"
    "/js/status-tables.js"
    "/js/status.js"
    "/js/store.js"
    "/js/style.js"
    "/js/theme.js"
    "/js/topic-explain.js"
    "/js/topic-message.js"
    "/js/topic-names.js"
    "/js/topic-publish.js"
    "/js/topic-tree.js"
    "/js/topics.js"
    "/js/variable-form.js"
    "/js/variable-row.js"
    "/js/variables.js"
};

impl Assets {
    /// The embedded files; `/` is `/index.html`.
    pub(crate) fn embedded() -> Self {
        let index = FILES.iter().find(|(path, _)| *path == "/index.html").map(|(_, bytes)| ("/", *bytes));
        let all = FILES.iter().copied().chain(index);
        Self(all.map(|(path, bytes)| (path, Asset::new(path, bytes))).collect())
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Asset> {
        self.0.get(path)
    }
}

impl Asset {
    fn new(path: &str, bytes: &'static [u8]) -> Self {
        Self { bytes, content_type: content_type(path), etag: format!("W/\"{:016x}\"", fingerprint(bytes)) }
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("html", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

/// FNV-1a, 64 bits: the same in every build; no secret depends on it.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn collect(folder: &Path, path: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{path}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                collect(&entry.path(), &path, found);
            } else {
                found.insert(path);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let mut found = BTreeSet::new();
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets"), "", &mut found);
        let listed: BTreeSet<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(listed, found, "bring the list in `assets.rs` up to date");
    }

    #[test]
    fn every_file_has_a_content_type() {
        let unknown: Vec<_> =
            FILES.iter().filter(|(path, _)| content_type(path) == "application/octet-stream").collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
