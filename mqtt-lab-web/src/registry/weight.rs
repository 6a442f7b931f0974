//! What a description costs in memory.

use mqtt_lab_wire::{Channel, Info};

/// Memory of a description, in bytes, roughly.
pub(super) fn weight(info: Option<&Info>) -> usize {
    let Some(info) = info else { return 0 };
    let will = info.will.iter().map(|will| will.topic.len() + will.payload.len());
    let texts = [&info.label, &info.kind, &info.downgrades].into_iter().flatten().map(|text| text.len());
    let channels = info.channels.iter().map(|channel| size_of::<Channel>() + texts_of(channel));
    size_of::<Info>() + will.chain(texts).chain(channels).sum::<usize>()
}

fn texts_of(channel: &Channel) -> usize {
    let texts = [&channel.unit, &channel.quantity, &channel.label].into_iter().flatten();
    let choices = channel.choices.iter().map(|choice| size_of_val(choice) + choice.len());
    channel.name.len() + texts.map(|text| text.len()).chain(choices).sum::<usize>()
}
