//! Transport-wide sequence numbers (draft-holmer-rmcat-transport-wide-cc-extensions-01) for RTX and FEC, too: the
//! engine's interceptor is told of media streams alone.

use std::time::Instant;

use rtc::interceptor::{Interceptor, StreamInfo, TaggedPacket, TwccSenderInterceptor};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

/// The engine's numbering interceptor, bound to the RTX and FEC streams as well.
pub(in crate::rtc) struct TwccNumbering(pub(in crate::rtc) TwccSenderInterceptor);

impl Protocol<TaggedPacket, TaggedPacket, ()> for TwccNumbering {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.0.handle_read(message)
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.0.poll_read()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.0.handle_write(message)
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.0.poll_write()
    }
}

impl Interceptor for TwccNumbering {
    fn bind_local_stream(&mut self, stream: &StreamInfo) {
        self.0.bind_local_stream(stream);
        for repairs in repair_streams(stream) {
            self.0.bind_local_stream(&repairs);
        }
    }

    fn unbind_local_stream(&mut self, stream: &StreamInfo) {
        self.0.unbind_local_stream(stream);
        for repairs in repair_streams(stream) {
            self.0.unbind_local_stream(&repairs);
        }
    }

    fn bind_remote_stream(&mut self, stream: &StreamInfo) {
        self.0.bind_remote_stream(stream);
    }

    fn unbind_remote_stream(&mut self, stream: &StreamInfo) {
        self.0.unbind_remote_stream(stream);
    }
}

fn repair_streams(stream: &StreamInfo) -> impl Iterator<Item = StreamInfo> + '_ {
    let ssrcs = stream.ssrc_rtx.into_iter().chain(stream.ssrc_fec);
    ssrcs.map(|ssrc| StreamInfo { ssrc, ssrc_rtx: None, ssrc_fec: None, ..stream.clone() })
}
