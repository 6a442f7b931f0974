//! Channels that their devices do not describe: what a person says of them.

use axum::Json;
use axum::extract::State;
use mqtt_lab_wire::{Datatype, MAX_CHANNELS, MAX_TEXT_BYTES, Part, Topic};
use serde::Deserialize;

use super::ApiError;
use super::devices::unknown;
use super::extract::{Body, Names, line, present};
use crate::app::App;
use crate::problem::Problem;
use crate::registry::{DescribedBy, DeviceView};
use crate::store::ChannelSettings;

/// Longest unit, quantity and label, in characters.
const MAX_CHARS: usize = 64;
/// Most choices of a channel.
const MAX_CHOICES: usize = 64;

/// What may be said of a channel; what is missing stays, `null` takes back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    #[serde(default, deserialize_with = "present")]
    datatype: Option<Option<Datatype>>,
    #[serde(default, deserialize_with = "present")]
    unit: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    quantity: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    label: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    choices: Option<Option<Vec<String>>>,
}

impl Change {
    fn apply(self, settings: &mut ChannelSettings) -> Result<(), ApiError> {
        if let Some(datatype) = self.datatype {
            settings.datatype = datatype;
            settings.choices.clear();
        }
        for (change, field) in [
            (self.unit, &mut settings.unit),
            (self.quantity, &mut settings.quantity),
            (self.label, &mut settings.label),
        ] {
            if let Some(text) = change {
                *field = text.map(|text| line(&text, MAX_CHARS)).transpose()?;
            }
        }
        if let Some(choices) = self.choices {
            let choices = choices.unwrap_or_default();
            if choices.len() > MAX_CHOICES {
                return Err(ApiError::bad_request(format!("`choices` has at most {MAX_CHOICES} texts")));
            }
            let most = MAX_TEXT_BYTES as usize / MAX_CHOICES;
            settings.choices = choices.iter().map(|choice| line(choice, most)).collect::<Result<_, _>>()?;
        }
        let wants_choices = settings.datatype == Some(Datatype::Choice);
        if wants_choices == settings.choices.is_empty() {
            let words = "`choices` belongs to the datatype `choice`, and only to it";
            return Err(ApiError::bad_request(words));
        }
        Ok(())
    }
}

/// Whether a channel may be called that: it may be described before its first message.
fn is_name(channel: &str) -> bool {
    let topic = format!("r/g/d/{channel}");
    let clean = !channel.contains(['+', '#', '\0']) && !channel.starts_with('$');
    clean && matches!(Topic::parse("r", &topic), Ok(topic) if topic.part == Part::Sample(channel))
}

/// `PATCH /api/v1/devices/{group}/{device}/channels/{channel}`.
pub(super) async fn change(
    State(app): State<App>,
    Names((group, device, channel)): Names<(String, String, String)>,
    Body(change): Body<Change>,
) -> Result<Json<DeviceView>, ApiError> {
    if !is_name(&channel) {
        return Err(Problem::ChannelName { channel }.into());
    }
    let known = app.registry.channel_settings(&group, &device, &channel);
    let mut known = known.ok_or_else(|| unknown(&group, &device))?;
    if known.settings.is_empty() && !known.more {
        return Err(Problem::ChannelsFull { most: MAX_CHANNELS }.into());
    }
    if matches!(known.described_by, Some(DescribedBy::Device | DescribedBy::Framework)) {
        return Err(Problem::ChannelDescribed { channel }.into());
    }
    change.apply(&mut known.settings)?;
    app.store.set_channel(known.device, &channel, &known.settings).await?;
    app.registry.set_channel(&group, &device, &channel, known.settings);
    app.registry.view(&group, &device).map(Json).ok_or_else(|| unknown(&group, &device))
}
