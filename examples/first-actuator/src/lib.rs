//! The simplest actuator: a note in a file.

use mqtt_lab_core::prelude::*;

/// The actuator. Its fields are the keys of `[actuator.settings]`.
#[derive(Deserialize, JsonSchema)]
struct Note {
    /// The file; a path that is not absolute begins where the lab was started.
    path: String,
}

#[async_trait]
impl Actuator for Note {
    fn describe(&self) -> Description {
        Description::actuator().output(Channel::text("text"))
    }

    // The value is a text: the lab has checked it. What is returned is the new state, which goes to the dashboard.
    async fn apply(&mut self, _channel: &str, value: Value) -> Result<Reading> {
        std::fs::write(&self.path, value.to_string())?;
        Ok(value.into())
    }
}

export_plugin! { actuator "note" => Note }

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_lab_core::testing::Bench;

    #[test]
    fn it_writes_what_it_is_told() {
        let path =
            std::env::temp_dir().join(format!("note-{}.txt", std::process::id())).display().to_string();
        let mut note = Bench::new(&plugin(), "note", [("path", path.as_str())]);
        let state = note.set("text", "buy milk");
        assert_eq!(state.get("text"), Some(&Value::from("buy milk")));
        assert_eq!(std::fs::read_to_string(&path).expect("a note"), "buy milk");
        std::fs::remove_file(path).expect("it is there");
    }

    #[test]
    fn where_nothing_can_be_written_the_command_is_refused() {
        let mut note = Bench::new(&plugin(), "note", [("path", "no/such/folder/note.txt")]);
        assert!(note.try_set("text", "buy milk").is_err());
    }
}
