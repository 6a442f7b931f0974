//! The simplest sensor: the size of a file.

use mqtt_lab_core::prelude::*;

/// The sensor. Its fields are the keys of `[sensor.settings]`.
#[derive(Deserialize, JsonSchema)]
struct FileSize {
    /// The file; a path that is not absolute begins where the lab was started.
    path: String,
}

#[async_trait]
impl Sensor for FileSize {
    fn describe(&self) -> Description {
        Description::sensor().channel(Channel::int("size").unit("B"))
    }

    // `?`: while there is no such file, the dashboard says so, and the lab asks again.
    async fn read(&mut self) -> Result<Reading> {
        let bytes = std::fs::metadata(&self.path)?.len();
        Ok(i64::try_from(bytes)?.into())
    }
}

export_plugin! { sensor "file-size" => FileSize }

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_lab_core::testing::Bench;

    #[test]
    fn it_measures_a_file() {
        // Cargo runs tests in the folder of the crate.
        let mut sensor = Bench::new(&plugin(), "file-size", [("path", "src/lib.rs")]);
        let code = include_str!("lib.rs").len();
        assert_eq!(sensor.read().get("size").and_then(Value::as_f64), Some(code as f64));
    }

    #[test]
    fn a_missing_file_is_an_error() {
        let mut sensor = Bench::new(&plugin(), "file-size", [("path", "none.txt")]);
        assert!(sensor.try_read().is_err());
    }
}
