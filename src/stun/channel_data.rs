//! ChannelData: a datagram behind the number of its channel (RFC 8656, 12.4).

/// Bytes before the datagram.
pub const CHANNEL_HEADER: usize = 4;

/// A datagram of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelData<'a> {
    /// The channel.
    pub number: u16,
    /// The datagram, without the padding behind it.
    pub data: &'a [u8],
}

/// True for numbers that channels can have: RFC 8656 ends at 0x4fff, but clients of RFC 5766 go up to 0x7ffe.
pub const fn is_channel(number: u16) -> bool {
    matches!(number, 0x4000..=0x7ffe)
}

impl<'a> ChannelData<'a> {
    /// The channel's datagram; `None` for other data, and where the datagram ends too early or more than a padding too
    /// late.
    pub fn read(datagram: &'a [u8]) -> Option<Self> {
        let (head, rest) = datagram.split_first_chunk::<CHANNEL_HEADER>()?;
        let [number, length] = [[head[0], head[1]], [head[2], head[3]]].map(u16::from_be_bytes);
        let data = rest.get(..usize::from(length))?;
        (is_channel(number) && rest.len() - data.len() < 4).then_some(Self { number, data })
    }

    /// The header of `length` bytes on a channel.
    pub fn head(number: u16, length: u16) -> [u8; CHANNEL_HEADER] {
        let ([a, b], [c, d]) = (number.to_be_bytes(), length.to_be_bytes());
        [a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_may_follow_and_nothing_else() {
        let read = |datagram: &[u8]| ChannelData::read(datagram).map(|channel| (channel.number, channel.data.to_vec()));
        assert_eq!(read(&[0x40, 1, 0, 1, 9]), Some((0x4001, vec![9])));
        assert_eq!(read(&[0x40, 1, 0, 1, 9, 0, 0, 0]), Some((0x4001, vec![9])));
        assert_eq!(read(&[0x40, 1, 0, 0]), Some((0x4001, vec![])));
        for wrong in [
            &[0x40, 1, 0][..],
            &[0x40, 1, 0, 2, 9],
            &[0x40, 1, 0, 1, 9, 0, 0, 0, 0],
            &[0x3f, 1, 0, 1, 9],
            &[0x7f, 0xff, 0, 1, 9],
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
