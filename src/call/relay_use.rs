//! Use of a relay for the media of a call, by the setting and by the person.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// When media goes through a relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelayUse {
    /// Where there is no direct way.
    #[default]
    Auto,
    /// Always: the far side learns no address of this computer.
    Always,
    /// Never.
    Never,
}

impl RelayUse {
    /// The use in one call, by the person's `setting`.
    ///
    /// Somebody who is no contact and calls over a server learns no address, whatever the setting: the setting is about
    /// people whom its owner knows. On a local network addresses are known already.
    pub const fn of(setting: Self, is_contact: bool, over_server: bool) -> Self {
        match (is_contact, over_server) {
            (false, true) => Self::Always,
            _ => setting,
        }
    }

    /// The word in settings and options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

impl fmt::Display for RelayUse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A word that is none of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the use of a relay is auto, always or never")]
pub struct NoRelayUse;

impl FromStr for RelayUse {
    type Err = NoRelayUse;

    fn from_str(text: &str) -> Result<Self, NoRelayUse> {
        [Self::Auto, Self::Always, Self::Never].into_iter().find(|it| it.name() == text).ok_or(NoRelayUse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_of_a_server_learn_no_address_and_others_what_the_setting_says() {
        for setting in [RelayUse::Auto, RelayUse::Always, RelayUse::Never] {
            assert_eq!(RelayUse::of(setting, false, true), RelayUse::Always, "{setting}");
            assert_eq!(RelayUse::of(setting, true, true), setting);
            assert_eq!(RelayUse::of(setting, true, false), setting);
            assert_eq!(RelayUse::of(setting, false, false), setting, "a new person on the same network");
        }
    }

    #[test]
    fn each_word_is_read_as_it_is_written() {
        for word in ["auto", "always", "never"] {
            assert_eq!(word.parse::<RelayUse>().unwrap().to_string(), word);
        }
        for word in ["", "Auto", "sometimes"] {
            assert_eq!(word.parse::<RelayUse>(), Err(NoRelayUse));
        }
    }
}
