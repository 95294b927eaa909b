//! Findings at the system's camera nodes, kept because a camera that is open must not be looked at again; and the turn
//! to open one.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::mode::CameraMode;

/// A node of the system that may be a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The system's number.
    pub index: u32,
    /// The system's name, without the characters that would do something to a terminal or a list.
    pub name: String,
}

impl Node {
    /// A node by its number and the name that its driver gives it.
    pub fn new(index: u32, name: &str) -> Self {
        let spaced = name.trim().chars().map(|char| if char.is_whitespace() { ' ' } else { char });
        Self { index, name: spaced.filter(|char| !char.is_control()).collect() }
    }
}

/// Knowledge of a node after a look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is no camera (a webcam has a second node, for metadata).
    NoCamera,
    /// It gives pictures, but in these formats alone, none of which can be read.
    Unusable(String),
    /// Modes that can be used, at least one.
    Modes(Vec<CameraMode>),
}

/// Findings at the nodes that were looked at.
static KNOWN: Mutex<Vec<(Node, Finding)>> = Mutex::new(Vec::new());

/// Held while a device is opened or looked at, for as long as its driver takes.
static OPENING: Mutex<()> = Mutex::new(());

/// Waits for the turn to open a device.
pub fn turn_to_open() -> MutexGuard<'static, ()> {
    OPENING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The turn to open a device, unless another one is being opened.
pub(super) fn turn_if_free() -> Option<MutexGuard<'static, ()>> {
    match OPENING.try_lock() {
        Ok(turn) => Some(turn),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Keeps the camera that was found at `node`.
pub fn remember(node: &Node, finding: Finding) {
    let mut known = known();
    known.retain(|(other, _)| other.index != node.index);
    known.push((node.clone(), finding));
}

/// Everything that was found.
pub(super) fn known() -> MutexGuard<'static, Vec<(Node, Finding)>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The finding at `node`, if it was looked at.
pub(super) fn known_finding(node: &Node) -> Option<Finding> {
    known().iter().find(|(other, _)| other == node).map(|(_, finding)| finding.clone())
}
