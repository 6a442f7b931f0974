//! Places where a test can make a running program panic. Without feature `failpoints` they are nothing.

/// Panics if somebody asked for it: if the folder that the environment variable `LAB_FAILPOINTS` names holds a file
/// called `name`. The file is removed first, so that it happens once.
///
/// # Panics
///
/// When asked to.
#[inline]
pub fn hit(name: &str) {
    #[cfg(feature = "failpoints")]
    if let Some(folder) = std::env::var_os("LAB_FAILPOINTS")
        && std::fs::remove_file(std::path::Path::new(&folder).join(name)).is_ok()
    {
        panic!("failpoint `{name}`");
    }
    let _ = name;
}
