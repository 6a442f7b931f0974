//! Finds out whether a settings struct has a schema.
//!
//! Stable Rust cannot ask whether a type implements a trait. But a method call prefers a receiver that
//! needs no further reference: [`Documented`] is for `SettingsOf<C>` where `C` has a schema,
//! [`Undocumented`] for `&SettingsOf<C>`, whatever `C` is.

use schemars::JsonSchema;
use serde_json::Value;
use std::marker::PhantomData;

/// The settings that a constructor takes.
#[derive(Debug)]
pub struct SettingsOf<C>(PhantomData<fn(C)>);

impl<C> SettingsOf<C> {
    /// Those of a constructor.
    pub const fn constructor<R>(_: &impl Fn(C) -> R) -> Self {
        Self(PhantomData)
    }
}

/// Settings with a schema.
pub trait Documented {
    /// Makes the schema.
    fn schema(&self) -> fn() -> Value;
}

impl<C: JsonSchema> Documented for SettingsOf<C> {
    fn schema(&self) -> fn() -> Value {
        || schemars::schema_for!(C).to_value()
    }
}

/// Settings without one.
pub trait Undocumented {
    /// Makes null.
    fn schema(&self) -> fn() -> Value;
}

impl<C> Undocumented for &SettingsOf<C> {
    fn schema(&self) -> fn() -> Value {
        || Value::Null
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Known {
        /// How many.
        count: u32,
    }

    struct Unknown;

    #[allow(clippy::needless_borrow, reason = "as the macro writes it: the borrow ranks the two traits")]
    #[test]
    fn a_schema_is_found_where_there_is_one() {
        let known = SettingsOf::constructor(&|known: Known| known).schema()();
        assert_eq!(known["properties"]["count"]["description"], "How many.");
        let unknown = (&SettingsOf::constructor(&|unknown: Unknown| unknown)).schema()();
        assert!(unknown.is_null());
    }
}
