//! Why a web could not be started.

use mqtt_lab_core::config::AddressError;
use mqtt_lab_core::link::LinkError;

use crate::store::StoreError;

/// Why a web could not be started. [`StartError::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another program listens there.
    #[error("cannot serve the dashboard at `{address}`: another program listens there")]
    AddressTaken {
        /// The address as configured.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The address is none, or not one of this machine's.
    #[error("cannot serve the dashboard at `{address}`")]
    Listen {
        /// The address as configured.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The address cannot be one.
    #[error("{}", .error.message)]
    Address {
        /// What is wrong with it.
        error: AddressError,
    },
    /// Others could reach the dashboard, and nothing protects it.
    #[error(
        "the dashboard at `{address}` can be reached from other computers, which needs `allow_remote = true` and a `token`"
    )]
    Unprotected {
        /// The address as configured.
        address: String,
    },
    /// The token cannot travel in a header.
    #[error("the web token is not 1 to 256 visible ASCII characters without `\"`, `,`, `;` and `\\`")]
    BadToken,
    /// A trusted proxy is no address.
    #[error("the trusted proxy `{address}` is neither an address nor a network")]
    BadProxy {
        /// The address as configured.
        address: String,
    },
    /// A limit is out of range.
    #[error("`web.{option} = {value}` is not a whole number from 1 to {most}")]
    BadLimit {
        /// The option.
        option: &'static str,
        /// Its value as configured.
        value: usize,
        /// The largest value.
        most: usize,
    },
    /// The root is no topic level.
    #[error("`{root}` cannot be the first level of topics")]
    BadRoot {
        /// The root as configured.
        root: String,
    },
    /// The database could not be opened.
    #[error("cannot keep samples")]
    Store(#[from] StoreError),
    /// The link to the broker could not be started.
    #[error("cannot connect the dashboard to the broker")]
    Link(#[from] LinkError),
}

impl StartError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> &str {
        match self {
            Self::Address { error } => &error.hint,
            Self::AddressTaken { .. } => {
                "stop the other program (perhaps another lab), or set another port in `web.bind`; \
                 with port 0 the system chooses a free one"
            }
            Self::Listen { .. } => "set `web.bind` to an address of this machine, such as `127.0.0.1:8080`",
            Self::Unprotected { .. } => {
                "set `web.allow_remote = true` and `web.token`, or bind to `127.0.0.1`"
            }
            Self::BadToken => "choose another `web.token`; letters and digits always do",
            Self::BadProxy { .. } => {
                "write addresses such as `127.0.0.1` or networks such as `10.0.0.0/8`, without port or name"
            }
            Self::BadLimit { .. } => "leave it out for the default, which fits a class of forty",
            Self::BadRoot { .. } => "use words of `a-z`, `0-9` and `-`, with `/` between them",
            Self::Store(error) => error.hint(),
            Self::Link(_) => "check the broker's address and credentials",
        }
    }
}
