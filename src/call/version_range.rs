//! Ranges of versions that a side speaks, of signaling or of descriptions, and the judgement where two have none in
//! common.

use serde::{Deserialize, Serialize};

/// Lowest and highest version that a side speaks. An app that names none is of before the first: `0..=0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The lowest.
    pub min: u16,
    /// The highest.
    pub max: u16,
}

/// The side whose app is too old for the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VersionSkew {
    /// The far side needs a newer Visavis.
    #[serde(rename = "far")]
    FarIsOlder,
    /// This side needs a newer Visavis.
    #[serde(rename = "own")]
    OwnIsOlder,
}

impl Versions {
    /// The highest version that both sides speak, where `self` is this side's range.
    ///
    /// # Errors
    ///
    /// The side that is too old, where there is none.
    pub fn common(self, far: Self) -> Result<u16, VersionSkew> {
        let highest = self.max.min(far.max);
        match highest {
            _ if far.max < self.min => Err(VersionSkew::FarIsOlder),
            _ if far.min > self.max => Err(VersionSkew::OwnIsOlder),
            version => Ok(version),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn versions(min: u16, max: u16) -> Versions {
        Versions { min, max }
    }

    #[test]
    fn the_highest_version_of_both_is_spoken_and_the_older_side_is_named_where_there_is_none() {
        let own = versions(3, 5);
        for (far, expected) in [
            (versions(3, 3), Ok(3)),
            (versions(1, 4), Ok(4)),
            (versions(5, 9), Ok(5)),
            (versions(6, 99), Err(VersionSkew::OwnIsOlder)),
            (versions(1, 2), Err(VersionSkew::FarIsOlder)),
            (Versions::default(), Err(VersionSkew::FarIsOlder)),
        ] {
            assert_eq!(own.common(far), expected, "{far:?}");
        }
    }

    proptest! {
        #[test]
        fn both_sides_come_to_the_same_version_and_name_the_same_side(ranges: [(u16, u16); 2]) {
            let [one, other] = ranges.map(|(a, b)| versions(a.min(b), a.max(b)));
            match (one.common(other), other.common(one)) {
                (Ok(here), Ok(there)) => prop_assert!(here == there && here >= one.min && here >= other.min),
                (Err(here), Err(there)) => prop_assert_ne!(here, there),
                differing => prop_assert!(false, "{:?}", differing),
            }
        }
    }
}
