//! Samples of a WAV file: integers of 8 to 32 bits, floating point, and the two codings of ITU-T G.711.

/// How a sample is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// Integers, of which the upper `valid` bits count; those in one byte are unsigned.
    Integer {
        /// 1 to 32.
        valid: u32,
    },
    /// IEEE 754, in 4 or 8 bytes.
    Float,
    /// A-law of G.711.
    ALaw,
    /// µ-law of G.711.
    MuLaw,
}

impl Coding {
    /// The value in [-1, 1] of a sample, whose bytes are in `little` endian order.
    pub(super) fn decode(self, little: &[u8]) -> f32 {
        match self {
            Self::Integer { valid } => integer(little, valid),
            Self::Float => float(little),
            Self::ALaw => f32::from(a_law(little[0])) / 32_768.0,
            Self::MuLaw => f32::from(mu_law(little[0])) / 32_768.0,
        }
    }
}

/// Left-justified, as the format requires: the valid bits are at the top of the container.
fn integer(little: &[u8], valid: u32) -> f32 {
    let mut top = [0; 4];
    top[4 - little.len()..].copy_from_slice(little);
    if little.len() == 1 {
        top[3] ^= 0x80;
    }
    let mask = u32::MAX << (32 - valid);
    (u32::from_le_bytes(top) & mask).cast_signed() as f32 / 2_147_483_648.0
}

fn float(little: &[u8]) -> f32 {
    let value = match *little {
        [a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32,
        _ => 0.0,
    };
    if value.is_nan() { 0.0 } else { value.clamp(-1.0, 1.0) }
}

/// G.711, table 1a, to 16 bits.
const fn a_law(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let mantissa = ((byte & 0x0f) as i16) << 4;
    let magnitude = match (byte >> 4) & 7 {
        0 => mantissa + 0x8,
        segment => (mantissa + 0x108) << (segment - 1),
    };
    if byte & 0x80 == 0 { -magnitude } else { magnitude }
}

/// G.711, table 2a, to 16 bits.
const fn mu_law(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((((byte & 0x0f) as i16) << 3) + 0x84) << ((byte >> 4) & 7);
    if byte & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_any_width_count_from_the_top() {
        let decode = |bytes: &[u8], valid| Coding::Integer { valid }.decode(bytes);
        assert_eq!(decode(&[0x80], 8), 0.0);
        assert_eq!(decode(&[0x40], 8), -0.5);
        assert_eq!(decode(&[0x00, 0x40], 16), 0.5);
        assert_eq!(decode(&[0x0f, 0x40], 12), 0.5, "12 of 16 bits");
        assert_eq!(decode(&[0, 0, 0xc0], 20), -0.5);
        assert_eq!(decode(&[0xff, 0, 0, 0x40], 24), 0.5, "24 of 32 bits");
        assert_eq!(decode(&[0, 0, 0, 0x80], 32), -1.0);
    }

    #[test]
    fn floating_point_is_held_to_full_scale() {
        assert_eq!(Coding::Float.decode(&0.25_f32.to_le_bytes()), 0.25);
        assert_eq!(Coding::Float.decode(&(-7.0_f64).to_le_bytes()), -1.0);
        assert_eq!(Coding::Float.decode(&f32::INFINITY.to_le_bytes()), 1.0);
        assert_eq!(Coding::Float.decode(&f64::NAN.to_le_bytes()), 0.0);
    }

    #[test]
    fn the_codings_of_telephony_have_the_values_of_their_tables() {
        assert_eq!([0xd5, 0x55, 0xaa, 0x2a, 0x80].map(a_law), [8, -8, 32_256, -32_256, 5504]);
        assert_eq!([0xff, 0x7f, 0x80, 0x00, 0xf0].map(mu_law), [0, 0, 32_124, -32_124, 120]);
    }
}
