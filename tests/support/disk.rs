//! Disks that fail on demand: a small tmpfs that can be filled, and a library that is loaded before all others and makes
//! writes below a folder fail, or hang.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::typed;

/// A file system of a few megabytes.
pub(crate) struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    pub(crate) fn mount(megabytes: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().display();
        typed(folder.path(), &format!("mount -t tmpfs -o size={megabytes}m tmpfs '{at}'"));
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all room that is left.
    pub(crate) fn fill(&self) {
        typed(
            self.path(),
            "dd if=/dev/zero of=fill bs=64k 2>/dev/null; dd if=/dev/zero of=rest bs=1 count=4096 2>/dev/null; true",
        );
    }

    /// Gives it back.
    pub(crate) fn empty(&self) {
        for name in ["fill", "rest"] {
            std::fs::remove_file(self.path().join(name)).expect("it was filled");
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a program that a failed test left may still have files there.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// A library for `LD_PRELOAD`.
pub(crate) struct Shim {
    folder: tempfile::TempDir,
}

const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* The number in the control file: 0 or no file: all is well; -1: hang; else the error. */
static int wanted(void) {
    const char *control = getenv("SHIM_CONTROL");
    if (!control) return 0;
    int fd = open(control, O_RDONLY);
    if (fd < 0) return 0;
    char text[16] = {0};
    ssize_t (*real)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
    if (real(fd, text, sizeof text - 1) < 0) text[0] = 0;
    close(fd);
    return atoi(text);
}

static int below(const char *path) {
    const char *folder = getenv("SHIM_FOLDER");
    return folder && !strncmp(path, folder, strlen(folder));
}

static int fails(int fd) {
    if (fd < 3) return 0;
    char name[64], path[512];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (!below(path)) return 0;
    int error;
    while ((error = wanted()) < 0) usleep(20000);
    if (!error) return 0;
    errno = error;
    return 1;
}

#define REAL(type, name, ...) type (*real)(__VA_ARGS__) = dlsym(RTLD_NEXT, name)
ssize_t write(int fd, const void *b, size_t n) { REAL(ssize_t, "write", int, const void *, size_t); return fails(fd) ? -1 : real(fd, b, n); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { REAL(ssize_t, "pwrite", int, const void *, size_t, off_t); return fails(fd) ? -1 : real(fd, b, n, o); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t); return fails(fd) ? -1 : real(fd, b, n, o); }
ssize_t writev(int fd, const struct iovec *v, int n) { REAL(ssize_t, "writev", int, const struct iovec *, int); return fails(fd) ? -1 : real(fd, v, n); }
int fsync(int fd) { REAL(int, "fsync", int); return fails(fd) ? -1 : real(fd); }
int fdatasync(int fd) { REAL(int, "fdatasync", int); return fails(fd) ? -1 : real(fd); }
int ftruncate(int fd, off_t n) { REAL(int, "ftruncate", int, off_t); return fails(fd) ? -1 : real(fd, n); }
int ftruncate64(int fd, off64_t n) { REAL(int, "ftruncate64", int, off64_t); return fails(fd) ? -1 : real(fd, n); }
"#;

impl Shim {
    pub(crate) fn build() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("shim.c"), SOURCE).expect("writable");
        typed(folder.path(), "gcc -shared -fPIC -O1 -w -o shim.so shim.c -ldl");
        Self { folder }
    }

    /// Loads it into a program; writes below `data` are what it harms.
    pub(crate) fn preload(&self, command: &mut Command, data: &Path) {
        command.env("LD_PRELOAD", self.folder.path().join("shim.so"));
        command.env("SHIM_FOLDER", data).env("SHIM_CONTROL", self.control());
    }

    /// From now on writes fail with this error of the system; -1: they hang; 0: they work.
    pub(crate) fn set(&self, error: i32) {
        // Renamed: the library must not read half a file.
        let new = self.folder.path().join("new");
        std::fs::write(&new, error.to_string()).expect("writable");
        std::fs::rename(new, self.control()).expect("renamed");
    }

    fn control(&self) -> PathBuf {
        self.folder.path().join("control")
    }
}
