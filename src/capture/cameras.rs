//! Which cameras are plugged in, and what each can do.
//!
//! Looking at a camera's modes opens it for a moment (without streaming, so its light stays off) and may set its format;
//! a camera that is open here must not be looked at again, so what is known of each is kept.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use nokhwa::utils::{ApiBackend, CameraIndex};

use super::device;
use super::mode::CameraMode;

/// A camera and its modes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraInfo {
    /// The system's name for it; the second of two cameras of one name has " (2)" after it.
    pub name: String,
    /// Width, height and frames a second of each mode, without repetition, largest first; empty when another program
    /// holds the camera or the system forbids its use.
    pub modes: Vec<(u32, u32, u32)>,
}

/// A node of the system that may be a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The system's number.
    pub index: u32,
    /// The system's name.
    pub name: String,
}

/// The modes of each node that was looked at; none for a node that is no camera (a webcam has a second node, for
/// metadata).
static KNOWN: Mutex<Vec<(Node, Vec<CameraMode>)>> = Mutex::new(Vec::new());

/// Held while a device is opened or looked at, for as long as its driver takes.
static OPENING: Mutex<()> = Mutex::new(());

/// Waits for the turn to open a device.
pub fn turn_to_open() -> MutexGuard<'static, ()> {
    OPENING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the modes of `node`; none means that it is no camera.
pub fn remember(node: &Node, modes: Vec<CameraMode>) {
    let mut known = known();
    known.retain(|(other, _)| other.index != node.index);
    known.push((node.clone(), modes));
}

fn known() -> MutexGuard<'static, Vec<(Node, Vec<CameraMode>)>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn known_modes(node: &Node) -> Option<Vec<CameraMode>> {
    known().iter().find(|(other, _)| other == node).map(|(_, modes)| modes.clone())
}

/// The nodes of the system, in its order. Not all of them are cameras.
pub fn nodes() -> Vec<Node> {
    // The backend panics on nodes with unusual names.
    let found = catch_unwind(AssertUnwindSafe(|| nokhwa::query(ApiBackend::Auto)));
    let mut nodes: Vec<Node> = match found {
        Ok(Ok(found)) => found
            .iter()
            .filter_map(|info| match info.index() {
                CameraIndex::Index(index) => Some(Node { index: *index, name: info.human_name() }),
                CameraIndex::String(_) => None,
            })
            .collect(),
        Ok(Err(error)) => {
            tracing::warn!(%error, "cameras could not be listed");
            Vec::new()
        }
        Err(_) => {
            tracing::warn!("cameras could not be listed: the camera backend panicked");
            Vec::new()
        }
    };
    nodes.sort_by_key(|node| node.index);
    nodes
}

/// Every camera that is plugged in, in the system's order.
///
/// A camera that was not seen before is opened for a moment, which takes as long as its driver takes (commonly some
/// milliseconds): not for a thread that draws.
pub fn list_cameras() -> Vec<CameraInfo> {
    cameras().into_iter().map(|(_, info)| info).collect()
}

/// The nodes that may be the camera of that name, the likeliest first; of any name without one.
pub fn nodes_of(name: Option<&str>) -> Vec<Node> {
    let Some(name) = name else { return nodes() };
    let named: Vec<Node> = nodes().into_iter().filter(|node| node.name == name).collect();
    if !named.is_empty() {
        return named;
    }
    // Not a name of the system's; it may be one that tells a camera from its twins.
    cameras().into_iter().filter(|(_, info)| info.name == name).map(|(node, _)| node).collect()
}

fn cameras() -> Vec<(Node, CameraInfo)> {
    let nodes = nodes();
    known().retain(|(node, _)| nodes.contains(node));
    let mut cameras: Vec<(Node, CameraInfo)> = Vec::new();
    for node in nodes {
        let twins = cameras.iter().filter(|(other, _)| other.name == node.name).count();
        let modes = match known_modes(&node).or_else(|| look_at(&node)) {
            Some(modes) if modes.is_empty() => continue,
            Some(modes) => sizes(&modes),
            // Nothing is known: most likely the metadata node of the camera before it, if that has the same name.
            None if twins > 0 => continue,
            None => Vec::new(),
        };
        let name = if twins == 0 { node.name.clone() } else { format!("{} ({})", node.name, twins + 1) };
        cameras.push((node, CameraInfo { name, modes }));
    }
    cameras
}

/// Looks at a node that is not known yet, unless a device is just being opened: that is not waited for.
fn look_at(node: &Node) -> Option<Vec<CameraMode>> {
    let _turn = match OPENING.try_lock() {
        Ok(turn) => turn,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return None,
    };
    match device::probe(node) {
        Ok(modes) => {
            remember(node, modes.clone());
            Some(modes)
        }
        Err(error) => {
            tracing::debug!(%error, "a camera could not be looked at");
            None
        }
    }
}

fn sizes(modes: &[CameraMode]) -> Vec<(u32, u32, u32)> {
    let mut sizes: Vec<_> = modes.iter().map(|mode| (mode.width, mode.height, mode.fps)).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.dedup();
    sizes
}

#[cfg(test)]
mod tests {
    use super::super::mode::Encoding;
    use super::*;

    #[test]
    fn a_size_that_comes_in_two_formats_is_listed_once_and_the_largest_first() {
        let mode = |encoding, width, height, fps| CameraMode { encoding, width, height, fps };
        let modes = [
            mode(Encoding::Yuyv, 640, 480, 30),
            mode(Encoding::Mjpeg, 640, 480, 30),
            mode(Encoding::Mjpeg, 1280, 720, 30),
            mode(Encoding::Yuyv, 640, 480, 15),
        ];
        assert_eq!(sizes(&modes), [(1280, 720, 30), (640, 480, 30), (640, 480, 15)]);
    }
}
