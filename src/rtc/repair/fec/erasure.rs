//! The erasure code: any `n` of `n` sources and some repairs give back the sources.
//!
//! A systematic Reed-Solomon code over GF(2^8) with a Cauchy matrix (Blömer et al., 1995): every square part of such a
//! matrix can be inverted, so each repair recovers any one loss. Pieces are all of one length.

/// Sources and repairs of one block together at most.
pub(super) const MAX_PIECES: usize = 256;

/// x^8 + x^4 + x^3 + x^2 + 1, for which x generates the field.
const POLYNOMIAL: u16 = 0x11d;

/// Powers of x, twice over so that sums of logarithms need no reduction, and logarithms.
const TABLES: ([u8; 512], [u8; 256]) = {
    let (mut powers, mut logarithms) = ([0; 512], [0; 256]);
    let mut value = 1_u16;
    let mut exponent = 0;
    while exponent < 255 {
        powers[exponent] = value as u8;
        powers[exponent + 255] = value as u8;
        logarithms[value as usize] = exponent as u8;
        value <<= 1;
        if value & 0x100 != 0 {
            value ^= POLYNOMIAL;
        }
        exponent += 1;
    }
    (powers, logarithms)
};

/// Bytes from which on a row of the multiplication table is made for them.
const ROW_IS_WORTH: usize = 256;

fn multiply(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        return 0;
    }
    TABLES.0[usize::from(TABLES.1[usize::from(a)]) + usize::from(TABLES.1[usize::from(b)])]
}

/// The inverse of a number other than zero.
fn invert(a: u8) -> u8 {
    TABLES.0[255 - usize::from(TABLES.1[usize::from(a)])]
}

/// Coefficient of a source packet in a repair packet: sources count from 0 upwards, repairs from 255 downwards, so no
/// two are equal.
fn coefficient(repair: u8, source: u8) -> u8 {
    invert((255 - repair) ^ source)
}

/// Adds `factor` times `source` to `sum`; what `source` is shorter counts as zeros.
fn add_multiple(sum: &mut [u8], factor: u8, source: &[u8]) {
    if factor == 0 {
        return;
    }
    // One row of the multiplication table serves a whole piece; for the few bytes of a head or a matrix it is not worth
    // while.
    if source.len() < ROW_IS_WORTH {
        for (sum, &value) in sum.iter_mut().zip(source) {
            *sum ^= multiply(factor, value);
        }
        return;
    }
    let row: [u8; 256] = std::array::from_fn(|value| multiply(factor, value as u8));
    for (sum, &value) in sum.iter_mut().zip(source) {
        *sum ^= row[usize::from(value)];
    }
}

/// Adds to `sum`, which begins as zeros, the part of source number `source` in repair number `repair`.
pub(super) fn add_source(sum: &mut [u8], repair: u8, source: u8, piece: &[u8]) {
    add_multiple(sum, coefficient(repair, source), piece);
}

/// Solves for the sources whose numbers are `missing`. `repairs` are as many repairs with their numbers, from which all
/// the other sources have been taken out (`add_source`, since adding is subtracting); afterwards they are the missing
/// sources, in the order of `missing`.
pub(super) fn solve(missing: &[u8], repairs: &mut [(u8, Vec<u8>)]) {
    let mut matrix: Vec<Vec<u8>> = repairs
        .iter()
        .map(|(repair, _)| missing.iter().map(|&source| coefficient(*repair, source)).collect())
        .collect();
    // Gauss and Jordan. No pivot is zero: what is left of a Cauchy matrix after each step has none.
    for column in 0..missing.len().min(repairs.len()) {
        let scale = invert(matrix[column][column]);
        matrix[column].iter_mut().for_each(|value| *value = multiply(*value, scale));
        let piece = &mut repairs[column].1;
        piece.iter_mut().for_each(|value| *value = multiply(*value, scale));
        let (pivot, piece) = (matrix[column].clone(), piece.clone());
        for row in (0..matrix.len()).filter(|row| *row != column) {
            let factor = matrix[row][column];
            add_multiple(&mut matrix[row], factor, &pivot);
            add_multiple(&mut repairs[row].1, factor, &piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Long enough for rows; the matrix goes without.
    const LENGTH: usize = ROW_IS_WORTH + 1;

    #[test]
    fn every_value_but_zero_has_an_inverse() {
        for value in 1..=255 {
            assert_eq!(multiply(value, invert(value)), 1);
        }
        assert_eq!((multiply(0x80, 2), multiply(0, 7)), (0x1d, 0));
    }

    proptest! {
        #[test]
        fn as_many_repairs_as_losses_give_back_what_was_lost(
            sources in prop::collection::vec(prop::collection::vec(any::<u8>(), LENGTH), 1..40),
            seed in any::<u64>(),
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let lost = random.usize(1..=sources.len());
            let mut missing: Vec<u8> = random.choose_multiple(0..sources.len() as u8, lost);
            missing.sort_unstable();
            let mut repairs: Vec<(u8, Vec<u8>)> = random
                .choose_multiple(0..60_u8, lost)
                .into_iter()
                .map(|number| {
                    let mut repair = vec![0; LENGTH];
                    for (source, piece) in sources.iter().enumerate() {
                        add_source(&mut repair, number, source as u8, piece);
                    }
                    (number, repair)
                })
                .collect();
            for (number, repair) in &mut repairs {
                for (source, piece) in sources.iter().enumerate().filter(|(n, _)| !missing.contains(&(*n as u8))) {
                    add_source(repair, *number, source as u8, piece);
                }
            }
            solve(&missing, &mut repairs);
            for (source, (_, solved)) in missing.iter().zip(&repairs) {
                prop_assert_eq!(&sources[usize::from(*source)], solved);
            }
        }
    }
}
