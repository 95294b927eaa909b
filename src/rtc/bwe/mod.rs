//! Bandwidth estimation: how much may be sent on a path, from transport-wide feedback
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01), after Google Congestion Control (draft-ietf-rmcat-gcc-02) as
//! libwebrtc's `goog_cc` has it.
//!
//! ```text
//! feedback -> packet_history -+-> acked_bitrate ------------------------------+
//!                             +-> trendline, queuing_delay -> bandwidth usage +-> aimd, link_capacity -> target
//!                             +-> packet_pairs -> link capacity confirmed or wider
//!                             +-> loss_based -> congestion or inherent loss --+
//!                             |-> in_flight -> congestion pushback
//!                             '-> probe_bitrate -> target; probe_controller -> pacer
//! target, congestion pushback -> PathState
//! ```
//!
//! `estimator` combines them, `interceptor` connects them with the packets of a connection. Everything but the
//! interceptor is pure; time is an argument.

mod acked_bitrate;
mod aimd;
mod arrival_pace;
mod estimator;
mod in_flight;
mod initial_probe;
mod interceptor;
mod link_capacity;
mod loss_based;
mod packet_history;
mod packet_pairs;
mod probe_bitrate;
mod probe_controller;
mod queuing_delay;
mod retransmission_limit;
mod stale_frames;
mod trendline;
mod twcc_numbering;

pub use estimator::BandwidthEstimator;
pub(super) use interceptor::{CongestionControl, HEAVY_LOSS};
pub use packet_history::PacketResult;
pub(super) use twcc_numbering::TwccNumbering;
