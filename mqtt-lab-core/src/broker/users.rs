//! Who may connect.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::link::Credentials;

/// Who may connect.
#[derive(Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// User name.
    pub name: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Users and passwords, compared in constant time. Without any, everybody may connect.
pub(super) struct Users(Vec<(String, String)>);

impl Users {
    pub(super) fn new(users: &[User], own: Option<&Credentials>) -> Self {
        let others = users.iter().map(|user| (user.name.clone(), user.password.clone()));
        Self(others.chain(own.map(|own| (own.user.clone(), own.password.clone()))).collect())
    }

    pub(super) fn admit(&self, name: &str, password: &str) -> bool {
        // No early end: the time tells nothing about names or passwords.
        let same = |a: &str, b: &str| {
            a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
        };
        let fits = |(user, secret): &(String, String)| same(user, name) & same(secret, password);
        self.0.iter().fold(self.0.is_empty(), |found, user| found | fits(user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_with_its_own_password_is_admitted() {
        let user = |name: &str, password: &str| User { name: name.into(), password: password.into() };
        let users = Users::new(&[user("ada", "one"), user("bob", "two")], None);
        assert!(users.admit("ada", "one") && users.admit("bob", "two"));
        assert!(!users.admit("ada", "two") && !users.admit("ada", "") && !users.admit("", ""));
        assert!(Users::new(&[], None).admit("", ""), "without users everybody on this computer");
    }
}
