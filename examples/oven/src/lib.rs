//! A sensor with a control variable: the user sets the target, the oven follows it.

use mqtt_lab_core::prelude::*;

/// Part of the way to the target that is made from one reading to the next.
const SPEED: f64 = 0.1;

/// An oven. It is its own settings: what has a default may be missing in the TOML block.
#[derive(Deserialize, JsonSchema)]
struct Oven {
    /// Temperature at the start, in °C.
    #[serde(default = "room_temperature")]
    celsius: f64,
    /// Target at the start, in °C (20 to 250). The user changes it while the lab runs.
    #[serde(default = "room_temperature")]
    target_celsius: f64,
}

const fn room_temperature() -> f64 {
    20.0
}

#[async_trait]
impl Sensor for Oven {
    fn describe(&self) -> Description {
        let target = Channel::float("target").unit("°C").range(20.0, 250.0).initial(self.target_celsius);
        Description::sensor()
            .channel(Channel::float("temperature").unit("°C").quantity("temperature"))
            .control(target.label("Target"))
    }

    async fn read(&mut self) -> Result<Reading> {
        self.celsius += (self.target_celsius - self.celsius) * SPEED;
        Ok(Reading::new().with("temperature", self.celsius))
    }

    /// The value is a number from 20 to 250: the lab has checked it against the description.
    async fn set(&mut self, channel: &str, value: Value) -> Result<()> {
        match (channel, value.as_f64()) {
            ("target", Some(celsius)) => self.target_celsius = celsius,
            _ => return Err(Error::not_settable(channel)),
        }
        Ok(())
    }
}

export_plugin! { sensor "oven" => Oven }

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_lab_core::testing::Bench;

    fn celsius(bench: &mut Bench) -> f64 {
        bench.read().get("temperature").and_then(Value::as_f64).expect("a number")
    }

    #[test]
    fn it_follows_the_target() {
        let mut oven = Bench::new(&plugin(), "oven", [("celsius", 20.0)]);
        assert!((celsius(&mut oven) - 20.0).abs() < 1e-9);
        oven.set("target", 120);
        assert!((celsius(&mut oven) - 30.0).abs() < 1e-9);
        assert!(celsius(&mut oven) > 38.0);
    }

    #[test]
    fn a_target_out_of_range_never_reaches_it() {
        let mut oven = Bench::new(&plugin(), "oven", ());
        let error = oven.try_set("target", 300).unwrap_err();
        assert_eq!(error.to_string(), "channel `target` does not take `300 °C`: expected a number from 20 to 250");
    }
}
