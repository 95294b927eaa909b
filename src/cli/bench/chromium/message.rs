//! Messages between page and measurement, as JSON over a WebSocket.

use serde::{Deserialize, Serialize};

/// A session description, in WebRTC's own words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageDescription {
    /// `offer` or `answer`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The text.
    pub sdp: String,
}

/// An ICE candidate, in WebRTC's own words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageCandidate {
    /// The text.
    pub candidate: String,
    /// The media section that it belongs to.
    pub sdp_mid: Option<String>,
}

/// To a page.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ToPage<'a> {
    /// Begin the call.
    Offer,
    /// Description of the other page.
    Description { description: &'a PageDescription },
    /// Where the other page can be reached.
    Candidate { candidate: &'a PageCandidate },
    /// Report from now on, twice a second.
    Measure,
}

/// From a page.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FromPage {
    /// Camera and microphone are open.
    Ready,
    /// For the other page.
    Description { description: PageDescription },
    /// For the other page.
    Candidate { candidate: PageCandidate },
    /// The first picture of the other page is shown.
    FirstPicture { at: f64 },
    /// Pictures and sound since the previous report.
    Report(PageReport),
    /// A picture as it is shown: a y4m file of one picture, in a binary message.
    #[serde(skip)]
    Picture(Vec<u8>),
    /// Something that a call needs does not work.
    Failed { message: String },
}

/// Pictures and sound of a page. Times are in ms of Unix time.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct PageReport {
    /// When the counts were taken.
    pub at: f64,
    /// Video payload received so far, without retransmissions, in bytes.
    pub video_bytes: f64,
    /// Everything received so far, the headers of IPv4 and UDP included, in bytes.
    pub wire_bytes: f64,
    /// Lines of the latest picture.
    pub lines: u32,
    /// Samples of concealed sound so far, silence left out.
    pub concealed_samples: f64,
    /// Samples of sound so far.
    pub samples: f64,
    /// Pictures shown since the report before: counter (-1 when it cannot be read) and time.
    pub shown: Vec<(i32, f64)>,
    /// Pictures captured since the report before.
    pub captured: Vec<(i32, f64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_as_the_page_writes_and_reads_them() {
        let candidate = PageCandidate { candidate: "c".into(), sdp_mid: Some("0".into()) };
        let to = serde_json::to_string(&ToPage::Candidate { candidate: &candidate }).unwrap();
        assert_eq!(to, r#"{"kind":"candidate","candidate":{"candidate":"c","sdpMid":"0"}}"#);
        let from = r#"{"kind":"report","at":5.5,"video_bytes":100,"wire_bytes":150,"lines":720,"concealed_samples":0,"samples":480,
                       "shown":[[7,5.25],[-1,6]],"captured":[]}"#;
        let FromPage::Report(report) = serde_json::from_str(from).unwrap() else { panic!("a report") };
        assert_eq!((report.lines, report.shown), (720, vec![(7, 5.25), (-1, 6.0)]));
        let from = r#"{"kind":"candidate","candidate":{"candidate":"c","sdpMid":"0","sdpMLineIndex":0}}"#;
        assert!(matches!(serde_json::from_str(from).unwrap(), FromPage::Candidate { candidate: c } if c == candidate));
    }
}
