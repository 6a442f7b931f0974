//! The JSON Schema of what the wire crate defines: it knows no schemas.

use schemars::{Schema, SchemaGenerator, json_schema};

pub(super) fn qos(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": [0, 1, 2] })
}

pub(super) fn payload(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["json", "plain"] })
}

pub(super) fn datatype(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["float", "int", "bool", "text", "choice", "color"] })
}

pub(super) fn value(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["number", "boolean", "string"] })
}

pub(super) fn broker_addresses(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "string", "format": "broker-address" } })
}
