//! The nodes of V4L2 in `/dev`.

use std::fs;

use crate::capture::finding::Node;

/// Every `/dev/videoN`, in the order of the numbers. Other entries beside them are left alone: links that udev makes,
/// names that are no text, codecs' nodes.
pub fn nodes() -> Vec<Node> {
    let entries = match fs::read_dir("/dev") {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(%error, "cameras could not be listed");
            return Vec::new();
        }
    };
    let mut numbers: Vec<u32> = entries
        .flatten()
        // A link leads to a node that is listed by its own name.
        .filter(|entry| !entry.file_type().is_ok_and(|kind| kind.is_symlink()))
        .filter_map(|entry| number(entry.file_name().to_str()?))
        .collect();
    numbers.sort_unstable();
    numbers.into_iter().map(node).collect()
}

/// The number in `videoN`, if that is how the kernel writes it.
fn number(file_name: &str) -> Option<u32> {
    let digits = file_name.strip_prefix("video")?;
    let canonical = digits == "0" || !digits.starts_with('0');
    digits.parse().ok().filter(|_| canonical && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A node by the name that its driver gives it, or else by its path.
fn node(index: u32) -> Node {
    let name = fs::read(format!("/sys/class/video4linux/video{index}/name")).unwrap_or_default();
    let node = Node::new(index, &String::from_utf8_lossy(&name));
    if node.name.is_empty() { Node::new(index, &format!("/dev/video{index}")) } else { node }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kernels_own_names_are_nodes() {
        for (name, expected) in [
            ("video0", Some(0)),
            ("video63", Some(63)),
            ("video4294967295", Some(u32::MAX)),
            ("video4294967296", None),
            ("video99999999999999999999999", None),
            ("video", None),
            ("video-webcam", None),
            ("video-dec0", None),
            ("video0p", None),
            ("video+1", None),
            ("video01", None),
            ("video 1", None),
            ("video٣", None),
            ("vide0", None),
            ("v4l-subdev0", None),
        ] {
            assert_eq!(number(name), expected, "{name}");
        }
    }
}
