//! Whose fault it is when the database does not take something, and the cause in words.

use sqlx::error::ErrorKind;

/// Whose fault a failed statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The data's: the database will never take it.
    Data,
    /// The data's, or a damaged page's that it needs; unless the database takes nothing at all.
    Suspect,
    /// The environment's: a full disk, a lock, a deleted file. The same statement works when that is over.
    Outside,
}

/// SQLite's primary result codes that mean something here (<https://www.sqlite.org/rescode.html>).
mod code {
    pub(super) const PERM: u32 = 3;
    pub(super) const BUSY: u32 = 5;
    pub(super) const LOCKED: u32 = 6;
    pub(super) const NOMEM: u32 = 7;
    pub(super) const READONLY: u32 = 8;
    pub(super) const INTERRUPT: u32 = 9;
    pub(super) const IOERR: u32 = 10;
    pub(super) const CORRUPT: u32 = 11;
    pub(super) const FULL: u32 = 13;
    pub(super) const CANTOPEN: u32 = 14;
    pub(super) const PROTOCOL: u32 = 15;
    pub(super) const TOOBIG: u32 = 18;
    pub(super) const MISMATCH: u32 = 20;
    pub(super) const NOLFS: u32 = 22;
    pub(super) const RANGE: u32 = 25;
    pub(super) const NOTADB: u32 = 26;
}

impl Fault {
    /// Whose fault an error of SQLite is.
    pub(super) fn of(error: &sqlx::Error) -> Self {
        let database = match error {
            sqlx::Error::Database(database) => database,
            sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
                return Self::Data;
            }
            _ => return Self::Outside,
        };
        match database.kind() {
            ErrorKind::UniqueViolation
            | ErrorKind::ForeignKeyViolation
            | ErrorKind::NotNullViolation
            | ErrorKind::CheckViolation => return Self::Data,
            _ => {}
        }
        match primary(error) {
            Some(code::TOOBIG | code::MISMATCH | code::RANGE) => Self::Data,
            Some(
                code::PERM
                | code::BUSY
                | code::LOCKED
                | code::NOMEM
                | code::READONLY
                | code::INTERRUPT
                | code::IOERR
                | code::FULL
                | code::CANTOPEN
                | code::PROTOCOL
                | code::NOLFS
                | code::NOTADB,
            ) => Self::Outside,
            _ => Self::Suspect,
        }
    }
}

/// The cause in words, for people who do not know SQLite.
pub(super) fn words(error: &sqlx::Error) -> String {
    let known = match primary(error) {
        Some(code::FULL) => "disk full",
        Some(code::IOERR) => "the disk reports an input/output error, or a quota is used up",
        Some(code::READONLY | code::PERM) => "the file or its file system is read-only",
        Some(code::BUSY | code::LOCKED) => "another program has locked the file",
        Some(code::CANTOPEN) => "the file cannot be opened",
        Some(code::CORRUPT) => "a page of the file is damaged",
        Some(code::NOTADB) => "the file is not a database, or its first page is damaged",
        Some(code::NOMEM) => "out of memory",
        _ => return error.to_string(),
    };
    format!("{known} ({error})")
}

fn primary(error: &sqlx::Error) -> Option<u32> {
    let sqlx::Error::Database(error) = error else { return None };
    error.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff)
}

/// Whether the file is damaged, or something else altogether.
pub(super) fn is_damage(error: &sqlx::Error) -> bool {
    matches!(primary(error), Some(code::CORRUPT | code::NOTADB))
}
