//! Variables: set like every channel, kept, followed, and changed while the lab runs.

mod support;

use async_trait::async_trait;
use mqtt_lab_core::config::VariableConfig;
use mqtt_lab_core::prelude::*;
use mqtt_lab_core::{BuildError, KeptVariable, Lab, LabBuilder, VariableError, VariableMemory, Variables};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use support::changing::{Bench, device};

/// What a user made a variable, and its value.
type Page = (Option<VariableConfig>, Option<Value>);

/// A memory that outlives the lab; it can be told to fail.
#[derive(Default)]
struct Notebook {
    pages: Mutex<BTreeMap<(String, String), Page>>,
    full: AtomicBool,
}

impl Notebook {
    fn note(&self, (group, id): (&str, &str), write: impl FnOnce(&mut Page)) -> Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(Error::new("the notebook is full"));
        }
        write(self.pages.lock().expect("whole").entry((group.into(), id.into())).or_default());
        Ok(())
    }

    fn value(&self, id: &str) -> Option<Value> {
        self.pages.lock().expect("whole").get(&("demo".into(), id.into()))?.1.clone()
    }
}

#[async_trait]
impl VariableMemory for Notebook {
    async fn load(&self) -> Result<Vec<KeptVariable>> {
        let pages = self.pages.lock().expect("whole").clone();
        let kept = |((group, id), (definition, value))| KeptVariable { group, id, definition, value };
        Ok(pages.into_iter().map(kept).collect())
    }

    async fn define(&self, variable: &VariableConfig) -> Result<()> {
        let key = (variable.group.as_deref().expect("filled in"), variable.id.as_str());
        self.note(key, |page| page.0 = Some(variable.clone()))
    }

    async fn keep(&self, group: &str, id: &str, value: &Value) -> Result<()> {
        self.note((group, id), |page| page.1 = Some(value.clone()))
    }

    async fn forget(&self, group: &str, id: &str) -> Result<()> {
        self.note((group, id), |_| ())?;
        self.pages.lock().expect("whole").remove(&(group.into(), id.into()));
        Ok(())
    }
}

fn level(value: f64) -> VariableConfig {
    let mut variable = VariableConfig::new("level", Datatype::Float, value);
    (variable.min, variable.max, variable.unit) = (Some(0.0), Some(10.0), Some("V".into()));
    variable
}

fn problems(built: Result<Lab, BuildError>) -> Vec<String> {
    match built {
        Err(BuildError::Devices(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

/// A lab of variables alone, on the bench's broker.
fn empty(bench: &Bench) -> LabBuilder {
    Lab::builder().broker(bench.broker.address())
}

async fn with(bench: &mut Bench, variables: &Variables) {
    let lab = empty(bench).plugin(&bench.plugin).variables(variables).build().expect("valid");
    bench.running.apply(lab).await.expect("applied");
    assert_eq!(bench.running.connected(support::PATIENCE).await, Vec::<&str>::new());
}

#[tokio::test]
async fn a_variable_takes_what_fits_and_is_kept_before_it_is_answered() {
    let notebook = Arc::new(Notebook::default());
    let mut bench = Bench::start(support::plugin(), vec![]).await;
    let variables = Variables::remembered(notebook.clone()).await.expect("readable");
    with(&mut bench, &variables.declare("demo", &[level(1.5)])).await;
    bench.comes("variables/level", "\"v\":1.5,").await;
    bench.comes("variables/$state", "ready").await;
    bench.comes("variables/$info", "\"kind\":\"variables\"").await;
    bench.observer.publish("lab/demo/variables/level/set", r#"{"v":4.5,"id":"a"}"#).await;
    bench.comes("variables/level/result", r#"{"id":"a","ok":true,"v":4.5}"#).await;
    assert_eq!(notebook.value("level"), Some(Value::Float(4.5)));
    bench.comes("variables/level", "\"v\":4.5,").await;
    bench.observer.publish("lab/demo/variables/level/set", r#"{"v":11,"id":"b"}"#).await;
    bench
        .comes(
            "variables/level/result",
            r#""id":"b","ok":false,"error":"channel `level` does not take `11 V`"#,
        )
        .await;
    notebook.full.store(true, Ordering::SeqCst);
    bench.observer.publish("lab/demo/variables/level/set", r#"{"v":5,"id":"c"}"#).await;
    let refused =
        r#"{"id":"c","ok":false,"error":"the storage cannot keep the value: the notebook is full"}"#;
    bench.comes("variables/level/result", refused).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_lab_that_starts_again_has_the_values_that_still_fit() {
    let notebook = Arc::new(Notebook::default());
    for (id, value) in [("level", Value::Float(7.5)), ("mode", Value::Text("eco".into()))] {
        notebook.keep("demo", id, &value).await.expect("kept");
    }
    let mut bench = Bench::start(support::plugin(), vec![]).await;
    let variables = Variables::remembered(notebook).await.expect("readable");
    let mut mode = VariableConfig::new("mode", Datatype::Choice, "day");
    mode.choices = vec!["day".into(), "night".into()];
    with(&mut bench, &variables.declare("demo", &[level(1.0), mode])).await;
    bench.comes("variables/level", "\"v\":7.5,").await;
    bench.comes("variables/mode", "\"v\":\"day\",").await;
    bench.stop().await;
}

#[tokio::test]
async fn variables_come_change_and_go_without_a_new_connection() {
    let notebook = Arc::new(Notebook::default());
    let mut bench = Bench::start(support::plugin(), vec![device("counter", "c")]).await;
    let mut variables = Variables::remembered(notebook.clone()).await.expect("readable");
    let (lab, again, third) = (empty(&bench), empty(&bench), empty(&bench));
    let made = variables.create(level(2.5), lab, &mut bench.running).await.expect("made");
    assert_eq!(made.group.as_deref(), Some("demo"));
    bench.comes("variables/level", "\"v\":2.5,").await;
    bench.observer.publish("lab/demo/variables/level/set", "3").await;
    bench.comes("variables/level", "\"v\":3,").await;
    let boot = bench.boot("variables").await;
    let lamp = VariableConfig::new("lamp", Datatype::Bool, true);
    variables.create(lamp, again, &mut bench.running).await.expect("made");
    bench.comes("variables/lamp", "\"v\":true,").await;
    let narrow = VariableConfig { max: Some(2.0), value: 1.0.into(), ..made };
    variables.change(narrow, third, &mut bench.running).await.expect("changed");
    bench.comes("variables/level", "\"v\":1,").await;
    let lab = empty(&bench);
    variables.delete(("demo", "lamp"), lab, &mut bench.running).await.expect("deleted");
    bench.observer.catch_up().await;
    assert_eq!(bench.observer.last("lab/demo/variables/lamp").expect("seen").payload, "", "cleared");
    assert_eq!((bench.boot("variables").await, bench.states("variables")), (boot, vec!["ready"]));
    assert_eq!(bench.states("c"), ["ready"], "others were not touched");
    let lab = empty(&bench);
    variables.delete(("demo", "level"), lab, &mut bench.running).await.expect("deleted");
    assert_eq!(bench.retained("variables").await, [""; 0], "the last one takes the device along");
    assert!(notebook.pages.lock().expect("whole").is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn a_variable_keeps_values_that_its_followers_take() {
    let mut follower = device("counter", "c");
    follower.inputs.insert("step".into(), "demo/variables/level".into());
    let mut bench = Bench::start(support::plugin(), vec![follower]).await;
    let mut variables = Variables::remembered(Arc::new(Notebook::default())).await.expect("readable");
    let color = VariableConfig::new("level", Datatype::Color, "#ff8000");
    let lab = empty(&bench);
    let refused = variables.create(color.clone(), lab, &mut bench.running).await.expect_err("refused");
    let expected = "`inputs.step`: device `demo/c`: `demo/variables/level` sends `color`, and `step` takes `int` from 1 to \
                    100 (hint: follow a channel whose values are `int` from 1 to 100)";
    assert_eq!(refused.to_string(), expected);
    let lab = empty(&bench);
    let made = variables.create(level(2.0), lab, &mut bench.running).await.expect("made");
    let lab = empty(&bench);
    let changed = VariableConfig { group: made.group.clone(), ..color };
    let refused = variables.change(changed, lab, &mut bench.running).await.expect_err("refused");
    assert!(matches!(refused, VariableError::Wrong(_)), "{refused}");
    let lab = empty(&bench);
    let far = VariableConfig { min: Some(500.0), max: None, value: 600.0.into(), ..made };
    let refused = variables.change(far, lab, &mut bench.running).await.expect_err("refused");
    assert!(refused.to_string().contains("sends `float` of at least 500"), "{refused}");
    bench.comes("variables/level", "\"v\":2,").await;
    bench.stop().await;
}

#[tokio::test]
async fn what_cannot_be_a_variable_changes_nothing() {
    let mut bench = Bench::start(support::plugin(), vec![device("counter", "c")]).await;
    let notebook = Arc::new(Notebook::default());
    let known = Variables::remembered(notebook.clone()).await.expect("readable");
    let mut variables = known.declare("demo", &[level(1.0)]);
    let mut told = Vec::new();
    let mut other = VariableConfig::new("b", Datatype::Int, 2.5);
    for wrong in [level(2.0), other.clone()] {
        let lab = empty(&bench);
        told.push(variables.create(wrong, lab, &mut bench.running).await.expect_err("refused").to_string());
    }
    let (lab, again) = (empty(&bench), empty(&bench));
    told.push(
        variables.delete(("demo", "level"), lab, &mut bench.running).await.expect_err("refused").to_string(),
    );
    told.push(
        variables.delete(("demo", "x"), again, &mut bench.running).await.expect_err("refused").to_string(),
    );
    notebook.full.store(true, Ordering::SeqCst);
    other.datatype = Datatype::Float;
    let lab = empty(&bench);
    let failed = variables.create(other, lab, &mut bench.running).await.expect_err("refused");
    assert!(matches!(failed, VariableError::Failed(_)));
    told.push(failed.to_string());
    let expected = [
        "there is already a variable `demo/level`",
        "`value`: `2.5` is no value of this variable: expected a whole number",
        "the variable `demo/level` stands in the lab's file: change it there",
        "there is no variable `demo/x`",
        "the storage cannot forget the variable: the notebook is full",
    ];
    assert_eq!(told, expected);
    assert_eq!((variables.all().count(), bench.running.devices().count()), (1, 1));
    bench.stop().await;
}

#[tokio::test]
async fn a_device_in_the_way_and_a_name_given_twice_are_told() {
    let mut bench = Bench::start(support::plugin(), vec![device("counter", "variables")]).await;
    let mut variables = Variables::new();
    let lab = empty(&bench);
    let refused = variables.create(level(1.0), lab, &mut bench.running).await.expect_err("refused");
    let expected = "`group`: a device of group `demo` is called `variables`, as its variables would be (hint: choose \
                    another group for the variable)";
    assert_eq!(refused.to_string(), expected);
    let declared = variables.declare("demo", &[level(1.0), level(2.0)]);
    let lab = empty(&bench).plugin(&bench.plugin).device(device("counter", "variables")).variables(&declared);
    let expected = [
        "`id`: the variables of group `demo` are the device `variables` already (hint: give this device another `id`, \
         or the variables another `group`)",
        "`id`: there is already a variable `level` in group `demo` (hint: give one of them another `id` or `group`)",
    ];
    let mut told = problems(lab.build());
    told.sort();
    told.dedup();
    let mut expected = expected.map(str::to_owned);
    expected.sort();
    assert_eq!(told, expected);
    bench.stop().await;
}

#[tokio::test]
async fn a_name_of_the_file_that_a_user_took_before_is_told_at_the_file() {
    let notebook = Arc::new(Notebook::default());
    let made = VariableConfig { group: Some("demo".into()), ..level(1.0) };
    notebook.define(&made).await.expect("kept");
    let variables = Variables::remembered(notebook).await.expect("readable").declare("demo", &[level(2.0)]);
    let built = Lab::builder().broker("127.0.0.1:1883").variables(&variables).build();
    let told = problems(built);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("`id`: a variable `level` of group `demo` was made in the page already"),
        "{told:?}"
    );
}
