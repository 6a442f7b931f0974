//! What the lab says of itself on every page, one notice at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::json;

use crate::clock::Millis;
use crate::live::Hub;

/// Most messages of a notice that are shown.
const MAX_MESSAGES: usize = 20;
/// Longest text and longest hint that are shown, in characters.
const MAX_CHARS: usize = 2_000;

/// What the lab says of itself on every page: why it refused its changed configuration, for instance.
/// [`Web::notify`](crate::Web::notify) shows it.
///
/// # Bounds
///
/// Of more than 20 messages the first 20 are shown, and the page says how many are left out. Of a text or
/// hint longer than 2000 characters the beginning is shown, with `…` where it was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How it is shown, and for how long.
    pub level: NoticeLevel,
    /// What it is about.
    pub title: NoticeTitle,
    /// The details, in the order in which they are shown; may be empty.
    pub messages: Vec<NoticeMessage>,
}

/// How a notice is shown, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeLevel {
    /// For a few seconds; a visitor can close it before.
    Info,
    /// Until the lab takes it back or replaces it.
    Error,
}

/// What a notice is about. The page has the words, in each of its languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NoticeTitle {
    /// The configuration file is wrong; the lab goes on as it was.
    ConfigurationRefused,
    /// The lab follows its changed configuration file.
    ConfigurationChanged,
    /// A change takes effect only when the lab is started anew.
    RestartNeeded,
    /// A plugin could not be loaded.
    PluginRefused,
    /// A plugin was loaded anew while the lab runs.
    PluginReloaded,
    /// A part of the lab failed and was restarted.
    PartRestarted,
    /// The database file was deleted while the lab runs, and made again with all it held.
    DatabaseRestored,
    /// Another database was put in the place of the lab's while it runs, and is used now.
    DatabaseReplaced,
    /// What the last run could not store or deliver when it was stopped.
    LostAtStop,
}

/// One detail of a notice. It is shown as it is, like on a terminal: line breaks and spaces are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NoticeMessage {
    /// What is the matter, with file, line and column where there are any.
    pub text: String,
    /// What can be done about it.
    pub hint: Option<String>,
}

/// A notice as the API shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NoticeView {
    level: NoticeLevel,
    title: NoticeTitle,
    at_ms: Millis,
    messages: Vec<NoticeMessage>,
    /// How many more messages there are.
    left_out: usize,
}

impl NoticeView {
    fn new(notice: Notice, at_us: i64) -> Self {
        let Notice { level, title, mut messages } = notice;
        let left_out = messages.len().saturating_sub(MAX_MESSAGES);
        messages.truncate(MAX_MESSAGES);
        for message in &mut messages {
            shorten(&mut message.text);
            message.hint.iter_mut().for_each(shorten);
        }
        Self { level, title, at_ms: Millis(at_us), messages, left_out }
    }
}

/// Cuts a text that is too long; its last character is then `…`.
fn shorten(text: &mut String) {
    if text.chars().nth(MAX_CHARS).is_some()
        && let Some((cut, _)) = text.char_indices().nth(MAX_CHARS - 1)
    {
        text.truncate(cut);
        text.push('…');
    }
}

/// Where the present notice hangs.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Option<NoticeView>>);

impl Board {
    /// Replaces the notice and tells the open pages.
    pub(crate) fn post(&self, notice: Option<Notice>, now_us: i64, hub: &Hub) {
        let mut shown = self.lock();
        if notice.is_none() && shown.is_none() {
            return;
        }
        *shown = notice.map(|notice| NoticeView::new(notice, now_us));
        // Still locked: the pages hear of two changes in the order in which they were made.
        hub.send(&message(shown.as_ref()));
    }

    /// The notice of now.
    pub(crate) fn shown(&self) -> Option<NoticeView> {
        self.lock().clone()
    }

    /// The live message of the notice of now, for a page that has just connected.
    pub(crate) fn message(&self) -> serde_json::Value {
        message(self.lock().as_ref())
    }

    fn lock(&self) -> MutexGuard<'_, Option<NoticeView>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn message(notice: Option<&NoticeView>) -> serde_json::Value {
    json!({"type": "notice", "notice": notice})
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLES: [NoticeTitle; 9] = [
        NoticeTitle::ConfigurationRefused,
        NoticeTitle::ConfigurationChanged,
        NoticeTitle::RestartNeeded,
        NoticeTitle::PluginRefused,
        NoticeTitle::PluginReloaded,
        NoticeTitle::PartRestarted,
        NoticeTitle::DatabaseRestored,
        NoticeTitle::DatabaseReplaced,
        NoticeTitle::LostAtStop,
    ];

    fn notice(messages: Vec<NoticeMessage>) -> Notice {
        Notice { level: NoticeLevel::Error, title: NoticeTitle::ConfigurationRefused, messages }
    }

    fn said(text: impl Into<String>) -> NoticeMessage {
        NoticeMessage { text: text.into(), hint: None }
    }

    fn words(of: impl Serialize) -> serde_json::Value {
        serde_json::to_value(of).unwrap()
    }

    #[test]
    fn a_notice_travels_as_the_contract_says() {
        let hint = Some("did you mean `interval_s`?".to_owned());
        let text = "lab.toml:3:1: unknown key `intervall_s`".to_owned();
        let view = NoticeView::new(notice(vec![NoticeMessage { text: text.clone(), hint }]), 1_000_500);
        let expected = json!({
            "level": "error", "title": "configuration-refused", "at_ms": 1000.5, "left_out": 0,
            "messages": [{"text": text, "hint": "did you mean `interval_s`?"}],
        });
        assert_eq!(words(view), expected);
        assert_eq!(words(NoticeLevel::Info), "info");
        let expected = [
            "configuration-refused",
            "configuration-changed",
            "restart-needed",
            "plugin-refused",
            "plugin-reloaded",
            "part-restarted",
            "database-restored",
            "database-replaced",
            "lost-at-stop",
        ];
        assert_eq!(words(TITLES), json!(expected));
    }

    #[test]
    fn every_title_has_its_words_in_each_language() {
        for file in [include_str!("../assets/i18n/de.json"), include_str!("../assets/i18n/en.json")] {
            let known: serde_json::Value = serde_json::from_str(file).unwrap();
            for title in TITLES {
                let key = format!("lab-notice.title.{}", words(title).as_str().unwrap());
                assert!(known[&key].is_string(), "{key}");
            }
        }
    }

    #[test]
    fn messages_above_the_bound_are_left_out_and_counted() {
        let all: Vec<_> = (0..MAX_MESSAGES + 3).map(|i| said(i.to_string())).collect();
        let view = NoticeView::new(notice(all.clone()), 0);
        assert_eq!((view.messages.as_slice(), view.left_out), (&all[..MAX_MESSAGES], 3));
    }

    #[test]
    fn a_text_above_the_bound_is_cut_between_characters() {
        let fits = "ß".repeat(MAX_CHARS);
        let cut = format!("{}…", "ß".repeat(MAX_CHARS - 1));
        let long = format!("{fits}x");
        let messages = vec![said(fits.as_str()), NoticeMessage { text: long.clone(), hint: Some(long) }];
        let view = NoticeView::new(notice(messages), 0);
        assert_eq!(view.messages, [said(fits), NoticeMessage { text: cut.clone(), hint: Some(cut) }]);
    }

    #[tokio::test]
    async fn pages_hear_of_each_change_and_of_nothing_else() {
        let (board, hub) = (Board::default(), Hub::new());
        let mut page = hub.subscribe();
        board.post(None, 1, &hub);
        board.post(Some(notice(vec![said("a")])), 2, &hub);
        board.post(None, 3, &hub);
        let mut next =
            async || serde_json::from_str::<serde_json::Value>(&page.recv().await.unwrap()).unwrap();
        let (first, second) = (next().await, next().await);
        assert_eq!(
            (&first["type"], &first["notice"]["messages"][0]["text"]),
            (&json!("notice"), &json!("a"))
        );
        assert_eq!(second, json!({"type": "notice", "notice": null}));
        assert!(board.shown().is_none() && page.is_empty());
    }
}
