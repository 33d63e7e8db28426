//! Logarithms and powers by the same few sums and products on any machine, several at a time where it can.

/// ln(1 + x) for x ≥ 0, to a few parts in a million.
#[inline]
pub(super) fn ln_1p(x: f32) -> f32 {
    let bits = (1.0 + x).to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    let fraction = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000) - 1.0;
    let mut sum = -0.023_443_656;
    for part in [
        0.100_139_73,
        -0.209_079_54,
        0.324_849_58,
        -0.499_314_65,
        0.999_990_6,
    ] {
        sum = sum * fraction + part;
    }
    exponent as f32 * std::f32::consts::LN_2 + sum * fraction
}

/// e to the power of x ≤ 0, to a few parts in a million; what is tiny is some tiny number above 0.
#[inline]
pub(super) fn exp(x: f32) -> f32 {
    let x = (x * std::f32::consts::LOG2_E).max(-126.0);
    // Down to the next whole number: what is cut is above 0.
    let biased = (x + 127.0) as i32;
    let fraction = x - (biased - 127) as f32;
    let mut sum = 0.001_893_754;
    for part in [
        0.008_949_59,
        0.055_860_337,
        0.240_141_82,
        0.693_154_5,
        0.999_999_9,
    ] {
        sum = sum * fraction + part;
    }
    sum * f32::from_bits((biased as u32) << 23)
}

/// The powers of a ratio: 1, itself, its square ….
pub(super) const fn fading<const N: usize>(ratio: f32) -> [f32; N] {
    let mut powers = [1.0; N];
    let mut n = 1;
    while n < N {
        powers[n] = powers[n - 1] * ratio;
        n += 1;
    }
    powers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_near_enough() {
        for n in 0..100_000 {
            let x = n as f32 * 0.01;
            assert!((ln_1p(x) - x.ln_1p()).abs() < 1e-5, "ln {x}");
            let x = -x * 0.08;
            assert!(
                (exp(x) - x.exp()).abs() <= 1e-5 * x.exp() + 1e-37,
                "exp {x}"
            );
        }
        let powers: [f32; 700] = fading(0.98);
        assert!((powers[699] / 0.98_f32.powi(699) - 1.0).abs() < 1e-3);
    }
}
