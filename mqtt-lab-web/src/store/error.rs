//! What can go wrong with a database.

use std::path::PathBuf;

use super::fault::{Fault, words};

/// Why a database could not be opened, read or written. [`StoreError::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The address names an engine that this build does not have.
    #[error("cannot open database `{url}`: only SQLite is built in")]
    UnknownEngine {
        /// The address as configured.
        url: String,
    },
    /// The folder for the database file cannot be made.
    #[error("cannot create folder `{path}` for the database")]
    CreateFolder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The path of the database is a folder.
    #[error("cannot open database `{path}`: it is a folder")]
    IsFolder {
        /// The path.
        path: PathBuf,
    },
    /// The file, or one beside it, cannot be written.
    #[error("cannot open database `{path}` for writing")]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is something else, or damaged.
    #[error("cannot open database `{path}`: it is not an SQLite database, or damaged")]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// The engine's reason.
        source: sqlx::Error,
    },
    /// A newer version of this program has written the database.
    #[error("cannot open database `{path}`: its schema {found} is newer than this program")]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema found.
        found: i64,
    },
    /// Another lab has the file open.
    #[error("cannot open database `{path}`: another lab uses it")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The engine cannot open the file.
    #[error("cannot open database `{path}`")]
    Open {
        /// The file.
        path: PathBuf,
        /// The engine's reason.
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("cannot update the schema of database `{path}`")]
    Migrate {
        /// The file.
        path: PathBuf,
        /// The engine's reason.
        source: Box<sqlx::migrate::MigrateError>,
    },
    /// The file was deleted, replaced or overwritten while it was open. [`Store::heal`](super::Store::heal) puts that
    /// right.
    #[error("database `{path}` was deleted, replaced or overwritten while the lab runs")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The ids are those of a database that was replaced meanwhile.
    #[error("the database was replaced meanwhile")]
    OtherDatabase,
    /// A statement failed.
    #[error("cannot {what} in the database")]
    Query {
        /// What was tried.
        what: &'static str,
        /// The engine's reason.
        source: sqlx::Error,
    },
    /// A row holds something this program never wrote.
    #[error("cannot read {what} from the database: `{found}` is not understood")]
    Unreadable {
        /// What was read.
        what: &'static str,
        /// What stands there.
        found: String,
    },
}

impl StoreError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnknownEngine { .. } => "give the path of a file, such as `sqlite:data/lab.db`",
            Self::CreateFolder { .. } | Self::NotWritable { .. } => {
                "choose a path that this user may write, or change the folder's permissions"
            }
            Self::IsFolder { .. } => "give the path of a file in it, such as `lab.db`",
            Self::NotADatabase { .. } => "move the file away (a new one is made), or restore a backup",
            Self::Newer { .. } => "use the newer program, or another database file",
            Self::InUse { .. } => "stop the other lab, or give this one its own database file",
            Self::Open { .. } | Self::Migrate { .. } => "check path, permissions and free space",
            Self::Changed { .. } => {
                "put the file back, or move away what replaced it; the lab checks every second"
            }
            Self::OtherDatabase => "nothing to do: the broker redelivers the messages",
            Self::Query { .. } => "check free space and the disk; writing is tried again",
            Self::Unreadable { .. } => "the file was changed by another program; restore a backup",
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Query { source, .. } => Fault::of(source),
            Self::Unreadable { .. } | Self::OtherDatabase => Fault::Data,
            _ => Fault::Outside,
        }
    }

    /// The cause alone, in words for people who do not know the engine: `disk full (…)`.
    #[must_use]
    pub fn cause(&self) -> String {
        match self {
            Self::Query { source, .. } | Self::Open { source, .. } => words(source),
            Self::NotWritable { source, .. } | Self::CreateFolder { source, .. } => {
                format!("{self}: {source}")
            }
            Self::NotADatabase { .. } => format!("{self}; {}", self.hint()),
            other => crate::health::chain(other),
        }
    }
}
