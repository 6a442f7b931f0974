//! Random numbers of the distributions that measurements have.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

/// A number of the standard normal distribution: mean 0, standard deviation 1.
///
/// Source: Box and Muller, Ann. Math. Statist. 29 (1958) 610.
pub(crate) fn normal(random: &mut StdRng) -> f64 {
    let radius = (-2.0 * open_uniform(random).ln()).sqrt();
    let angle: f64 = random.random_range(0.0..std::f64::consts::TAU);
    radius * angle.cos()
}

/// A pause in seconds as between events that know nothing of each other: exponential, at least 10 ms and at most ten
/// times the mean.
pub(crate) fn pause_s(random: &mut StdRng, mean_s: f64) -> f64 {
    let pause = -open_uniform(random).ln() * mean_s;
    pause.clamp(0.01, (10.0 * mean_s).max(0.01))
}

/// Above 0 and below 1, so that it has a logarithm.
fn open_uniform(random: &mut impl Rng) -> f64 {
    random.random_range(f64::MIN_POSITIVE..1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn normal_numbers_have_mean_0_and_deviation_1() {
        let mut random = StdRng::seed_from_u64(1);
        let numbers: Vec<f64> = (0..10_000).map(|_| normal(&mut random)).collect();
        let mean = numbers.iter().sum::<f64>() / 10_000.0;
        let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 10_000.0;
        assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn pauses_have_the_mean_that_was_asked_for() {
        let mut random = StdRng::seed_from_u64(1);
        let mean = (0..10_000).map(|_| pause_s(&mut random, 8.0)).sum::<f64>() / 10_000.0;
        assert!((mean - 8.0).abs() < 0.4, "{mean}");
    }
}
