//! Levels of codecs: numbers that bound size and rate of pictures.

use serde::{Deserialize, Serialize};

/// A level, by the number that its codec gives it: a higher one takes all pictures of a lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VideoLevel(u8);

impl VideoLevel {
    /// The level of this number.
    pub const fn from_number(number: u8) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }
}
