//! Files that the lab makes are for its user alone: they hold measurements, passwords and tokens.

/// Takes all rights of others from the files and folders that this process makes from now on: 0600 and 0700, or
/// stricter where the system's own mask is. Processes of plugins inherit it. Files that exist stay as they are.
#[cfg(unix)]
pub(crate) fn only_for_this_user() {
    use rustix::fs::Mode;
    let others = Mode::RWXG | Mode::RWXO;
    let before = rustix::process::umask(others);
    if !before.difference(others).is_empty() {
        rustix::process::umask(before | others);
    }
}

#[cfg(not(unix))]
pub(crate) const fn only_for_this_user() {}
