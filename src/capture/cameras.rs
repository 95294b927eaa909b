//! The list of cameras that are plugged in, with their modes.
//!
//! Looking at a camera's modes opens it for a moment (without streaming, so its light stays off), which some systems
//! let only one program do; a camera that is open here must not be looked at again, so the modes of each are kept.

use crate::device::{DeviceError, DeviceFault};

use super::device::{self, cannot_be_read, nodes};
use super::finding::{Finding, Node, known, known_finding, remember, turn_if_free};
use super::mode::CameraMode;

/// A camera and its modes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraInfo {
    /// The system's name for it; the second of two cameras of one name has " (2)" after it.
    pub name: String,
    /// Width, height and frames a second (rounded) of each mode, without repetition, largest first; empty when there is
    /// a fault, or nothing is known yet.
    pub modes: Vec<(u32, u32, u32)>,
    /// The reason why it cannot be used: another program holds it, the system forbids it, or none of its formats can be
    /// read.
    pub fault: Option<DeviceError>,
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
    let found = nodes.into_iter().map(|node| (known_finding(&node).map_or_else(|| look_at(&node), Ok), node));
    list(found.map(|(finding, node)| (node, finding)))
}

/// Reasons why nothing was found at a node.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Unseen {
    /// A device is just being opened.
    NotNow,
    /// It could not be looked at.
    Fault(DeviceError),
}

/// The cameras among the nodes. Nodes that cannot be used are left out where another one of the same name can: they may
/// be for metadata, or for a coded stream beside the pictures.
fn list(found: impl Iterator<Item = (Node, Result<Finding, Unseen>)>) -> Vec<(Node, CameraInfo)> {
    let mut cameras: Vec<(Node, CameraInfo)> = Vec::new();
    for (node, finding) in found {
        let (modes, fault) = match finding {
            // A node without a device behind it: unplugged this moment, or left over.
            Ok(Finding::NoCamera) | Err(Unseen::Fault(DeviceError { fault: DeviceFault::Missing, .. })) => continue,
            Ok(Finding::Modes(modes)) => (sizes(&modes), None),
            Ok(Finding::Unusable(formats)) => (Vec::new(), Some(cannot_be_read(formats))),
            Err(Unseen::Fault(fault)) => (Vec::new(), Some(fault)),
            Err(Unseen::NotNow) => (Vec::new(), None),
        };
        let twins = cameras.iter().filter(|(other, _)| other.name == node.name).count();
        let useless = cameras.iter_mut().find(|(other, info)| other.name == node.name && info.modes.is_empty());
        match useless {
            Some(_) if modes.is_empty() => {}
            Some(place) => *place = (node.clone(), CameraInfo { name: node.name, modes, fault }),
            None if twins > 0 && modes.is_empty() => {}
            None => {
                let name = if twins == 0 { node.name.clone() } else { format!("{} ({})", node.name, twins + 1) };
                cameras.push((node, CameraInfo { name, modes, fault }));
            }
        }
    }
    cameras
}

/// Looks at a node that is not known yet, unless a device is just being opened: that is not waited for.
fn look_at(node: &Node) -> Result<Finding, Unseen> {
    let Some(_turn) = turn_if_free() else { return Err(Unseen::NotNow) };
    match device::probe(node) {
        Ok(finding) => {
            remember(node, finding.clone());
            Ok(finding)
        }
        Err(error) => {
            tracing::debug!(%error, "a camera could not be looked at");
            Err(Unseen::Fault(error.into_fault(false)))
        }
    }
}

fn sizes(modes: &[CameraMode]) -> Vec<(u32, u32, u32)> {
    let mut sizes: Vec<_> = modes.iter().map(|mode| (mode.width, mode.height, mode.rate.rounded())).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.dedup();
    sizes
}

#[cfg(test)]
mod tests {
    use super::super::mode::{Encoding, FrameRate};
    use super::*;
    use crate::device::DeviceKind;

    const fn mode(encoding: Encoding, width: u32, height: u32, fps: u32) -> CameraMode {
        CameraMode { encoding, width, height, rate: FrameRate::whole(fps) }
    }

    #[test]
    fn a_size_that_comes_in_two_formats_is_listed_once_and_the_largest_first() {
        let modes = [
            mode(Encoding::Yuyv, 640, 480, 30),
            mode(Encoding::Mjpeg, 640, 480, 30),
            mode(Encoding::Mjpeg, 1280, 720, 30),
            mode(Encoding::Yuyv, 640, 480, 15),
        ];
        assert_eq!(sizes(&modes), [(1280, 720, 30), (640, 480, 30), (640, 480, 15)]);
    }

    #[test]
    fn a_name_can_do_nothing_to_a_terminal() {
        for (name, expected) in [
            ("Webcam \u{1b}[31mred\u{1b}]0;title\u{7}", "Webcam [31mred]0;title"),
            ("two\nlines\tand a \u{9b}2J", "two lines and a 2J"),
            (" Kamera für Zoë 👩\u{200d}🚀\n", "Kamera für Zoë 👩\u{200d}🚀"),
        ] {
            assert_eq!(Node::new(0, name).name, expected);
        }
    }

    #[test]
    fn what_cannot_be_used_is_listed_with_its_reason_unless_it_is_part_of_another() {
        let works = || Ok(Finding::Modes(vec![mode(Encoding::Yuyv, 640, 480, 30)]));
        let coded = || Ok(Finding::Unusable("H264".to_owned()));
        let busy = DeviceFault::Busy.of(DeviceKind::Camera);
        let found = [
            ("Webcam", works()),
            ("Webcam", Ok(Finding::NoCamera)),
            ("Webcam", coded()),
            ("Webcam", works()),
            ("Coder", coded()),
            ("Coder", coded()),
            ("Coder first", coded()),
            ("Coder first", works()),
            ("Taken", Err(Unseen::Fault(busy.clone()))),
            ("Opening", Err(Unseen::NotNow)),
            ("Gone", Err(Unseen::Fault(DeviceFault::Missing.of(DeviceKind::Camera)))),
            ("Clock", Ok(Finding::NoCamera)),
        ];
        let nodes =
            found.into_iter().zip(0..).map(|((name, finding), index)| (Node { index, name: name.to_owned() }, finding));
        let listed: Vec<_> =
            list(nodes).into_iter().map(|(_, info)| (info.name, info.modes.len(), info.fault)).collect();
        let expected = [
            ("Webcam", 1, None),
            ("Webcam (2)", 1, None),
            ("Coder", 0, Some(cannot_be_read("H264".to_owned()))),
            ("Coder first", 1, None),
            ("Taken", 0, Some(busy)),
            ("Opening", 0, None),
        ];
        assert_eq!(listed, expected.map(|(name, modes, fault)| (name.to_owned(), modes, fault)));
    }
}
