//! Channels of a microphone that have no position: the inputs of an audio interface, `AUX0` and so on.
//!
//! A sound server asked for eight channels takes eight loudspeakers to be meant (7.1) and mixes the inputs into them by
//! rules for loudspeakers, which drop most of them. cpal names the positions by their number alone; of a number for
//! which there is no layout it makes inputs, which the server hands over one by one. So such a microphone is opened
//! with the next number that has none, and the channels beyond its own stay silent.

#[cfg(target_os = "linux")]
use std::ffi::CString;
#[cfg(target_os = "linux")]
use std::sync::{Mutex, PoisonError};

#[cfg(target_os = "linux")]
use pulseaudio::Client;
#[cfg(target_os = "linux")]
use pulseaudio::protocol::ChannelPosition;

/// Channels of a sound server's stream at most.
const MAX: u16 = 32;

/// The number of channels with which a microphone of `channels` inputs without positions is opened.
pub(super) fn channels_to_open(channels: u16) -> u16 {
    (channels..=MAX).find(|count| has_no_layout(*count)).unwrap_or(channels)
}

/// Whether cpal makes inputs of that many channels.
const fn has_no_layout(channels: u16) -> bool {
    !matches!(channels, 1..=8 | 10 | 12)
}

/// Whether the channels of the sound server's source `id` are inputs without positions. Waits for the server.
#[cfg(target_os = "linux")]
pub(super) fn is_of_inputs(id: &str) -> bool {
    positions(id).is_some_and(|positions| !positions.is_empty() && positions.into_iter().all(is_input))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_of_inputs(_id: &str) -> bool {
    false
}

#[cfg(target_os = "linux")]
fn is_input(position: ChannelPosition) -> bool {
    (ChannelPosition::Aux0 as u8..=ChannelPosition::Aux31 as u8).contains(&(position as u8))
}

#[cfg(target_os = "linux")]
fn positions(id: &str) -> Option<Vec<ChannelPosition>> {
    // Kept, because a closed one costs a thread that never ends; made anew when the server is another one.
    static CLIENT: Mutex<Option<Client>> = Mutex::new(None);
    let name = CString::new(id).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().ok()?;
    let mut kept = CLIENT.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..2 {
        let client = match &*kept {
            Some(client) => client,
            None => kept.insert(Client::from_env(c"visavis").ok()?),
        };
        if let Ok(source) = runtime.block_on(client.source_info_by_name(name.clone())) {
            return Some((&source.channel_map).into_iter().collect());
        }
        *kept = None;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_opened_with_a_number_of_channels_that_is_no_layout() {
        let opened = [3, 4, 8, 9, 10, 12, 16, 18, 32, 40].map(channels_to_open);
        assert_eq!(opened, [9, 9, 9, 9, 11, 13, 16, 18, 32, 40]);
    }
}
