//! Set in a sorted array: small ones are most of a server's memory, and an array has no room to spare.

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct SortedSet<T>(Vec<T>);

impl<T> Default for SortedSet<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy + Ord> SortedSet<T> {
    /// Adds an item; false where it is in the set already.
    pub(super) fn insert(&mut self, item: T) -> bool {
        let Err(place) = self.0.binary_search(&item) else { return false };
        if self.0.is_empty() {
            // Most sets have one item, and `Vec` begins with four.
            self.0.reserve_exact(1);
        }
        self.0.insert(place, item);
        true
    }

    /// Removes an item; false where it is not in the set.
    pub(super) fn remove(&mut self, item: &T) -> bool {
        let found = self.0.binary_search(item);
        found.is_ok_and(|place| {
            self.0.remove(place);
            true
        })
    }

    pub(super) fn contains(&self, item: &T) -> bool {
        self.0.binary_search(item).is_ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The items in ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(steps in proptest::collection::vec((any::<bool>(), 0_u8..20), 0..200)) {
            let (mut set, mut model) = (SortedSet::default(), BTreeSet::new());
            for (adds, item) in steps {
                if adds {
                    prop_assert_eq!(set.insert(item), model.insert(item));
                } else {
                    prop_assert_eq!(set.remove(&item), model.remove(&item));
                }
                prop_assert_eq!((set.contains(&item), set.len()), (model.contains(&item), model.len()));
                prop_assert_eq!(set.is_empty(), model.is_empty());
            }
            prop_assert!(set.iter().eq(model));
        }
    }
}
