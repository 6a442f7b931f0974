//! A private copy of a library, so that a build can replace the file while the copy is in use.
//!
//! On Linux the copy has no name: it disappears with the process, however that ends. Elsewhere it has a
//! name until the library is loaded. What a process left behind that ended meanwhile, and what Windows
//! refuses to remove while it is loaded, is removed when a later copy is made.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

/// How the names of copies begin.
const PREFIX: &str = "mqtt-lab-plugin-";

/// Age from which a copy is a left-over: loading a library takes no longer than ten seconds.
const LEFT_OVER: Duration = Duration::from_secs(60);

/// The copy, which must be kept as long as the library is loaded: debuggers and backtraces find the
/// symbols in it.
#[derive(Debug)]
pub(super) enum LibraryCopy {
    /// An open file without a name, and the path by which this process reaches it.
    #[cfg(target_os = "linux")]
    Unnamed(std::fs::File, std::path::PathBuf),
    /// A file in the folder for temporary files.
    Named(tempfile::TempPath),
}

impl LibraryCopy {
    pub(super) fn of(bytes: &[u8]) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(copy) = unnamed(bytes)? {
            return Ok(copy);
        }
        named(bytes, &std::env::temp_dir())
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            #[cfg(target_os = "linux")]
            Self::Unnamed(_, path) => path,
            Self::Named(path) => path,
        }
    }

    /// Keeps what belongs to a loaded library, and removes the name that is not needed any more.
    pub(super) fn keep(self) {
        match self {
            // One open file per loaded library. It also keeps the path from meaning another file.
            #[cfg(target_os = "linux")]
            Self::Unnamed(file, _) => std::mem::forget(file),
            // Fails on Windows, where a later copy tries again.
            Self::Named(path) => drop(path),
        }
    }
}

/// A file without a name; `None` where the system does not show open files as paths.
#[cfg(target_os = "linux")]
fn unnamed(bytes: &[u8]) -> io::Result<Option<LibraryCopy>> {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::MetadataExt as _;
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    // With the process id, so that a debugger finds it, too.
    let path = std::path::PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()));
    let own = file.metadata()?;
    let same = path.metadata().is_ok_and(|of| (of.dev(), of.ino()) == (own.dev(), own.ino()));
    Ok(same.then_some(LibraryCopy::Unnamed(file, path)))
}

fn named(bytes: &[u8], folder: &Path) -> io::Result<LibraryCopy> {
    remove_left_overs(folder);
    let mut copy =
        tempfile::Builder::new().prefix(PREFIX).suffix(std::env::consts::DLL_SUFFIX).tempfile_in(folder)?;
    copy.write_all(bytes)?;
    Ok(LibraryCopy::Named(copy.into_temp_path()))
}

/// Removes old copies. One that is still loaded keeps its content, or cannot be removed (Windows).
fn remove_left_overs(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let copies = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    let is_old = |of: &std::fs::Metadata| {
        of.is_file() && of.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LEFT_OVER))
    };
    for copy in copies.filter(|copy| copy.metadata().is_ok_and(|of| is_old(&of))) {
        let _ = std::fs::remove_file(copy.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_named_copy_is_gone_once_it_is_loaded() {
        let folder = tempfile::tempdir().expect("a folder");
        let copy = named(b"library", folder.path()).expect("copied");
        assert_eq!(std::fs::read(copy.path()).expect("readable"), b"library");
        copy.keep();
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn left_overs_of_ended_processes_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = SystemTime::now() - 2 * LEFT_OVER;
        for (name, modified) in
            [("mqtt-lab-plugin-old", old), ("mqtt-lab-plugin-new", SystemTime::now()), ("other-old", old)]
        {
            let file = std::fs::File::create(folder.path().join(name)).expect("created");
            file.set_modified(modified).expect("its time can be set");
        }
        drop(named(b"", folder.path()).expect("copied"));
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(left, ["mqtt-lab-plugin-new", "other-old"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn on_linux_a_copy_has_no_name() {
        let copy = LibraryCopy::of(b"library").expect("copied");
        assert!(matches!(copy, LibraryCopy::Unnamed(..)), "{copy:?}");
        assert_eq!(std::fs::read(copy.path()).expect("readable"), b"library");
        let target = std::fs::read_link(copy.path()).expect("a link");
        assert!(target.to_string_lossy().ends_with(" (deleted)"), "{target:?}");
    }
}
