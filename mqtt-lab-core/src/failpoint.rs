//! Places in the program that a test can make panic. Without feature `failpoints` they compile to nothing.

/// Panics if the failpoint is armed.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn hit(_name: &str) {}

#[cfg(feature = "failpoints")]
pub use armed::{arm, hit};

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::BTreeSet;
    use std::path::PathBuf;
    use std::sync::{Mutex, OnceLock, PoisonError};

    /// Failpoints that were armed inside this process.
    static ARMED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

    /// The folder in which a file arms the failpoint of its name.
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();

    /// Has the next [`hit`] of this name panic.
    pub fn arm(name: &str) {
        ARMED.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    /// Panics, once, if the failpoint is armed: by [`arm`], or by a file of its name in the folder that the
    /// environment variable `LAB_FAILPOINTS` names, which is removed first.
    ///
    /// # Panics
    ///
    /// That is what it is for.
    pub fn hit(name: &str) {
        let armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        let folder = FOLDER.get_or_init(|| std::env::var_os("LAB_FAILPOINTS").map(PathBuf::from));
        let removed =
            || folder.as_ref().is_some_and(|folder| std::fs::remove_file(folder.join(name)).is_ok());
        if armed || removed() {
            panic!("failpoint {name}");
        }
    }
}
