//! The users' own control variables: asked for by pages, made by the program that runs the devices.

mod memory;

use std::sync::OnceLock;
use std::time::Duration;

use mqtt_lab_core::config::VariableConfig;
use mqtt_lab_core::{Error, VariableError};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub(crate) use memory::StoredVariables;

/// Requests that wait at most; a page that asks for more waits.
const WAITING: usize = 16;

/// The program is asked for so long: it may be busy with devices that start.
const PATIENCE: Duration = Duration::from_secs(25);

/// A variable as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VariableView {
    /// What it is; the group is filled in.
    #[serde(flatten)]
    pub variable: VariableConfig,
    /// Whether it stands in the lab's file, where alone it can be changed.
    pub declared: bool,
}

/// What is to be different about a variable: the fields that are there, `null` for none any more.
#[derive(Clone, Debug, PartialEq)]
pub struct VariableChange(pub(crate) serde_json::Map<String, serde_json::Value>);

impl VariableChange {
    /// The variable with the change.
    ///
    /// # Errors
    ///
    /// [`VariableError::Wrong`]: what would be no variable any more, or another one.
    pub fn of(&self, variable: &VariableConfig) -> Result<VariableConfig, VariableError> {
        let wrong = |error: serde_json::Error| VariableError::Wrong(error.to_string());
        if let Some(key) = ["id", "group"].into_iter().find(|key| self.0.contains_key(*key)) {
            return Err(VariableError::Wrong(format!(
                "the `{key}` of a variable stays: make another one and delete this"
            )));
        }
        let mut changed = serde_json::to_value(variable).map_err(wrong)?;
        for (key, value) in &self.0 {
            changed[key] = value.clone();
        }
        if changed["choices"].is_null() {
            changed["choices"] = serde_json::json!([]);
        }
        serde_json::from_value(changed).map_err(wrong)
    }
}

/// What a page wants of the variables.
#[derive(Clone, Debug, PartialEq)]
pub enum VariableWish {
    /// To see them.
    List,
    /// A new one.
    Create(Box<VariableConfig>),
    /// Another definition of one.
    Change {
        /// Its group.
        group: String,
        /// Its name.
        id: String,
        /// What is to be different.
        change: VariableChange,
    },
    /// One less.
    Delete {
        /// Its group.
        group: String,
        /// Its name.
        id: String,
    },
}

/// What came of a wish: the variables it was about, as they are now.
pub type VariableAnswer = Result<Vec<VariableView>, VariableError>;

/// What a page asks of the program.
#[derive(Debug)]
pub struct VariableRequest {
    /// What is to be done.
    pub wish: VariableWish,
    answer: oneshot::Sender<VariableAnswer>,
}

impl VariableRequest {
    /// Tells what came of it.
    pub fn answer(self, answer: VariableAnswer) {
        // The page may have gone.
        let _ = self.answer.send(answer);
    }
}

/// The way to the program, once it takes requests.
#[derive(Debug, Default)]
pub(crate) struct VariableRequests(OnceLock<mpsc::Sender<VariableRequest>>);

impl VariableRequests {
    /// The requests. Another call gets none.
    pub(crate) fn serve(&self) -> mpsc::Receiver<VariableRequest> {
        let (sender, requests) = mpsc::channel(WAITING);
        // Whoever comes second has nobody to send to it.
        let _ = self.0.set(sender);
        requests
    }

    /// Asks the program.
    pub(crate) async fn ask(&self, wish: VariableWish) -> VariableAnswer {
        let nobody =
            || VariableError::Failed(Error::new("the program that runs the devices does not answer"));
        let sender = self.0.get().ok_or_else(nobody)?;
        let asked = async {
            let (answer, came) = oneshot::channel();
            sender.send(VariableRequest { wish, answer }).await.map_err(|_| nobody())?;
            came.await.unwrap_or_else(|_| Err(nobody()))
        };
        timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(nobody()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use mqtt_lab_core::Datatype;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn change(change: serde_json::Value) -> Result<VariableConfig, String> {
        let mut variable = VariableConfig::new("x", Datatype::Float, 1.5);
        (variable.group, variable.unit, variable.max) = (Some("g".into()), Some("V".into()), Some(5.0));
        let change = VariableChange(change.as_object().unwrap().clone());
        change.of(&variable).map_err(|error| error.to_string())
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let changed = change(json!({"label": "X", "max": null, "choices": null})).unwrap();
        assert_eq!(
            (changed.label.as_deref(), changed.unit.as_deref(), changed.max),
            (Some("X"), Some("V"), None)
        );
        assert_eq!((changed.group.as_deref(), changed.value.as_f64()), (Some("g"), Some(1.5)));
    }

    #[test]
    fn a_change_cannot_make_another_variable_of_it() {
        let stays = "the `id` of a variable stays: make another one and delete this";
        assert_eq!(change(json!({"id": "y"})), Err(stays.to_owned()));
        assert!(change(json!({"colour": 1})).unwrap_err().starts_with("unknown field `colour`"));
        assert!(change(json!({"datatype": "number"})).unwrap_err().starts_with("unknown variant `number`"));
    }

    #[tokio::test]
    async fn without_a_program_the_answer_says_so() {
        let requests = VariableRequests::default();
        let error = requests.ask(VariableWish::List).await.unwrap_err();
        assert_eq!(error.to_string(), "the program that runs the devices does not answer");
        drop(requests.serve());
        assert!(requests.ask(VariableWish::List).await.is_err(), "it is gone");
    }
}
