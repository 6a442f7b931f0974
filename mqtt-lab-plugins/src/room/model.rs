//! The temperature of a body that is heated and loses heat.

use tokio::time::Instant;

/// A body of one temperature: C dT/dt = P − G (T − T_outside).
#[derive(Debug)]
pub(super) struct Model {
    /// Heat capacity C, in J/K.
    pub(super) capacity: f64,
    /// Conductance to the outside G, in W/K.
    pub(super) loss: f64,
    /// Temperature outside, in °C.
    pub(super) outside: f64,
    /// Power of the heating, in W.
    pub(super) power: f64,
    /// Other power P, in W.
    pub(super) other_power: f64,
    /// Temperature T, in °C, at the time of `known_at`.
    pub(super) celsius: f64,
    /// Up to when the temperature is calculated.
    pub(super) known_at: Instant,
}

impl Model {
    /// Brings the temperature up to now; to be called before anything else changes.
    pub(super) fn advance(&mut self) {
        let now = Instant::now();
        self.after((now - self.known_at).as_secs_f64());
        self.known_at = now;
    }

    /// The exact solution after `seconds` of constant powers.
    fn after(&mut self, seconds: f64) {
        let end = self.outside + (self.power + self.other_power) / self.loss;
        let left = (-seconds * self.loss / self.capacity).exp();
        self.celsius = end + (self.celsius - end) * left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        Model {
            capacity: 20_000.0,
            loss: 50.0,
            outside: 5.0,
            power: 1_000.0,
            other_power: 0.0,
            celsius: 15.0,
            known_at: Instant::now(),
        }
    }

    #[test]
    fn after_a_time_constant_a_part_of_1_by_e_is_left() {
        let mut room = model();
        room.after(400.0);
        assert!((room.celsius - (25.0 - 10.0 / std::f64::consts::E)).abs() < 1e-9, "{}", room.celsius);
    }

    #[test]
    fn many_short_steps_and_one_long_step_end_alike() {
        let (mut short, mut long) = (model(), model());
        (0..1000).for_each(|_| short.after(3.6));
        long.after(3600.0);
        assert!((short.celsius - long.celsius).abs() < 1e-9);
        long.after(1e9);
        assert!((long.celsius - 25.0).abs() < 1e-9, "no step is too long");
    }
}
