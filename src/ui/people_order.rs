//! Order of the list of people: its sections, and how it is held while somebody is about to press on a row. Pure.

use std::collections::HashSet;

use crate::controller::{Person, PersonKind};
use crate::identity::PeerId;

use super::catalogue::Text;

/// As many contacts who are offline are shown before they fold by themselves.
const OFFLINE_UNFOLDED: usize = 8;

/// A section of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// The test contact; without a heading.
    Echo,
    /// Contacts that stand before the others.
    Favourites,
    /// Contacts who are here.
    Online,
    /// People of this network who are no contacts.
    Nearby,
    /// Contacts who are not here.
    Offline,
    /// Blocked strangers.
    Blocked,
}

impl Section {
    /// The section of a person.
    const fn of(person: &Person) -> Self {
        match person.kind {
            PersonKind::Echo => Self::Echo,
            PersonKind::Contact if person.favourite => Self::Favourites,
            PersonKind::Contact if person.online && !person.blocked => Self::Online,
            PersonKind::Contact => Self::Offline,
            PersonKind::Nearby => Self::Nearby,
            PersonKind::Blocked => Self::Blocked,
        }
    }

    /// The words of its heading; Echo has none.
    pub const fn title(self) -> Option<Text> {
        match self {
            Self::Echo => None,
            Self::Favourites => Some(Text::Favourites),
            Self::Online => Some(Text::Online),
            Self::Nearby => Some(Text::OnThisNetwork),
            Self::Offline => Some(Text::Offline),
            Self::Blocked => Some(Text::Blocked),
        }
    }
}

/// One line of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// The heading of a section.
    Heading {
        /// The section.
        section: Section,
        /// How many people are in it.
        count: usize,
        /// Whether they are shown; only those who are offline fold.
        folded: bool,
    },
    /// A person.
    Person(PeerId),
}

/// Whether those who are offline are folded, as was chosen or else by how many they are.
fn is_folded(chosen: Option<bool>, offline: usize) -> bool {
    chosen.unwrap_or(offline > OFFLINE_UNFOLDED)
}

/// The lines of `people` in their sections, in the given order within each. `folded` is the choice about those who are
/// offline; in a search everybody who is found is shown.
pub fn arranged<'a>(
    people: impl Iterator<Item = &'a Person> + Clone,
    folded: Option<bool>,
    searching: bool,
) -> Vec<Line> {
    let sections =
        [Section::Echo, Section::Favourites, Section::Online, Section::Nearby, Section::Offline, Section::Blocked];
    let mut lines = Vec::new();
    for section in sections {
        let of = people.clone().filter(|person| Section::of(person) == section);
        let count = of.clone().count();
        if count == 0 {
            continue;
        }
        let folded = section == Section::Offline && !searching && is_folded(folded, count);
        if section.title().is_some() {
            lines.push(Line::Heading { section, count, folded });
        }
        if !folded {
            lines.extend(of.map(|person| Line::Person(person.id)));
        }
    }
    lines
}

/// The lines while nothing may move: those of before in their places, with the people who have come since at the end,
/// under the headings of their sections.
pub fn held(before: &[Line], fresh: &[Line]) -> Vec<Line> {
    let known: HashSet<PeerId> = before.iter().filter_map(person_of).collect();
    let mut lines = before.to_vec();
    let mut heading = None;
    for line in fresh {
        match line {
            Line::Heading { .. } => heading = Some(*line),
            Line::Person(id) if known.contains(id) => {}
            Line::Person(_) => {
                lines.extend(heading.take());
                lines.push(*line);
            }
        }
    }
    lines
}

/// The person of a line.
pub const fn person_of(line: &Line) -> Option<PeerId> {
    match line {
        Line::Person(id) => Some(*id),
        Line::Heading { .. } => None,
    }
}

/// The person before or behind `from` in the lines; the nearest end for somebody who is not among them.
pub fn neighbour(lines: &[Line], from: PeerId, down: bool) -> Option<PeerId> {
    let people: Vec<PeerId> = lines.iter().filter_map(person_of).collect();
    let Some(at) = people.iter().position(|id| *id == from) else { return people.first().copied() };
    let next = if down { at.checked_add(1) } else { at.checked_sub(1) };
    next.and_then(|next| people.get(next)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    fn person(number: u8, kind: PersonKind, online: bool) -> Person {
        Person {
            id: id(number),
            name: format!("Person {number}"),
            kind,
            online,
            route: None,
            needs_newer: None,
            blocked: kind == PersonKind::Blocked,
            verified: false,
            favourite: false,
            shares_name: false,
            picture: None,
        }
    }

    fn people() -> Vec<Person> {
        vec![
            person(0, PersonKind::Echo, true),
            Person { favourite: true, ..person(1, PersonKind::Contact, false) },
            person(2, PersonKind::Contact, true),
            person(3, PersonKind::Contact, false),
            Person { blocked: true, ..person(4, PersonKind::Contact, true) },
            person(5, PersonKind::Nearby, true),
            person(6, PersonKind::Blocked, false),
        ]
    }

    const fn heading(section: Section, count: usize, folded: bool) -> Line {
        Line::Heading { section, count, folded }
    }

    #[test]
    fn whoever_can_be_called_now_stands_above_whoever_cannot() {
        let person = |number| Line::Person(id(number));
        let expected = [
            person(0),
            heading(Section::Favourites, 1, false),
            person(1),
            heading(Section::Online, 1, false),
            person(2),
            heading(Section::Nearby, 1, false),
            person(5),
            heading(Section::Offline, 2, false),
            person(3),
            person(4),
            heading(Section::Blocked, 1, false),
            person(6),
        ];
        assert_eq!(arranged(people().iter(), None, false), expected);
    }

    #[test]
    fn the_offline_fold_as_chosen_or_when_they_are_many_and_never_in_a_search() {
        let folds = |offline: u8, chosen, searching| {
            let people: Vec<_> = (1..=offline).map(|number| person(number, PersonKind::Contact, false)).collect();
            let lines = arranged(people.iter(), chosen, searching);
            assert_eq!(
                lines.len(),
                if lines.contains(&heading(Section::Offline, offline.into(), true)) {
                    1
                } else {
                    usize::from(offline) + 1
                }
            );
            lines.len() == 1
        };
        assert!(!folds(8, None, false) && folds(9, None, false));
        assert!(folds(1, Some(true), false) && !folds(200, Some(false), false));
        assert!(!folds(200, Some(true), true));
    }

    #[test]
    fn a_held_list_keeps_every_row_in_its_place() {
        let before = arranged(people().iter(), None, false);
        let mut now = people();
        now[2].online = false;
        now[3].online = true;
        now.remove(5);
        now.insert(1, person(7, PersonKind::Nearby, true));
        now.insert(1, person(8, PersonKind::Contact, true));
        let fresh = arranged(now.iter(), None, false);
        let held = held(&before, &fresh);
        assert_eq!(held[..before.len()], before);
        let rest = [
            heading(Section::Online, 2, false),
            Line::Person(id(8)),
            heading(Section::Nearby, 1, false),
            Line::Person(id(7)),
        ];
        assert_eq!(held[before.len()..], rest);
        assert_eq!(super::held(&held, &fresh), held, "and those who have come keep theirs");
    }

    #[test]
    fn arrows_pass_over_headings_and_stop_at_the_ends() {
        let lines = arranged(people().iter(), None, false);
        assert_eq!(neighbour(&lines, id(0), true), Some(id(1)));
        assert_eq!(neighbour(&lines, id(2), true), Some(id(5)));
        assert_eq!(neighbour(&lines, id(1), false), Some(id(0)));
        assert_eq!((neighbour(&lines, id(0), false), neighbour(&lines, id(6), true)), (None, None));
        assert_eq!(neighbour(&lines, id(99), true), Some(id(0)));
    }
}
