//! Values and numbers between Rust and SQL.

use mqtt_lab_wire::{Datatype, Value};

/// A value as the number it is kept as; `None`: it is a text.
#[allow(clippy::cast_precision_loss, reason = "integers are within 2^53, which a double holds exactly")]
pub(super) fn to_real(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(v) => Some(f64::from(u8::from(*v))),
        Value::Int(v) => Some(*v as f64),
        Value::Float(v) => Some(*v),
        Value::Text(_) => None,
    }
}

/// The value of a series of `datatype` that is kept as `number`.
#[allow(clippy::cast_possible_truncation, reason = "integers are within 2^53")]
pub(super) fn from_real(datatype: Datatype, number: f64) -> Value {
    match datatype {
        Datatype::Bool => Value::Bool(number != 0.0),
        Datatype::Int => Value::Int(number as i64),
        Datatype::Float | Datatype::Text | Datatype::Choice | Datatype::Color => Value::Float(number),
    }
}

/// A count as SQL holds it.
pub(super) fn to_sql(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as SQL held it.
pub(super) fn from_sql(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
