//! What is told of wrong files.

use super::*;
use crate::schema::schema;

/// Each mistake as `keys: message (hint)`.
fn told(toml: &str) -> Vec<String> {
    let document = DeTable::parse(toml).expect("TOML");
    let told = |mistake: &Mistake| {
        let keys: Vec<&str> = mistake.way.iter().filter_map(Step::key).collect();
        format!("{}: {} ({})", keys.join("."), mistake.message, mistake.hint.as_deref().unwrap_or_default())
    };
    mistakes(document.get_ref(), schema()).iter().map(told).collect()
}

#[track_caller]
fn one(toml: &str, expected: &str) {
    assert_eq!(told(toml), [expected]);
}

#[test]
fn a_right_file_has_no_mistake() {
    let toml = "[lab]\nseed = 3\n[mqtt]\nbrokers = [\"a:1\"]\nversion = \"3.1.1\"\n[broker]\nwebsocket = \"127.0.0.1:0\"\n\
                users = [{ name = \"a\", password = \"b\" }]\n[[sensor]]\nkind = \"own\"\nplugin = [\"python3\", \"own.py\"]\n\
                interval_s = 1\nqos = 2\nchannels.x.qos = 0\ninputs.a = \"g/d/c\"\n[sensor.settings]\nany = [1]\n";
    assert_eq!(told(toml), [""; 0]);
}

#[test]
fn an_unknown_key_is_named_with_what_was_meant_or_where_it_belongs() {
    one("[lab]\nsead = 3\n", "lab.sead: unknown key `sead` (did you mean `seed`?)");
    one("[mqt]\nqos = 1\n", "mqt: unknown key `mqt` (did you mean `mqtt`?)");
    one(
        "[mqtt]\ninterval_s = 2\n",
        "mqtt.interval_s: unknown key `interval_s` (`interval_s` is an option of `[[actuator]]` or `[[sensor]]`)",
    );
    one(
        "[broker]\nurl = \"mqtt://a\"\n",
        "broker.url: unknown key `url` (this program's own broker listens at `bind = \"address:port\"`; to use another \
         broker write `brokers = [\"address:port\"]` in `[mqtt]`)",
    );
    one(
        "[mqtt]\nhost = \"a\"\n",
        "mqtt.host: unknown key `host` (the broker is `brokers = [\"address:port\"]`)",
    );
    one(
        "[web]\nport = 80\n",
        "web.port: unknown key `port` (the page is served at `bind = \"address:port\"`)",
    );
    one("[store]\nfoo = 2\n", "store.foo: unknown key `foo` (the options here are: url)");
}

#[test]
fn a_value_of_another_type_is_told_with_what_was_expected() {
    one(
        "[web]\nenabled = \"true\"\n",
        "web.enabled: expected true or false, found the text \"true\" (write it without quotes: `true`)",
    );
    one("[lab]\nroot = 5\n", "lab.root: expected a text in quotes, found 5 (put it in quotes)");
    one(
        "[mqtt]\nbrokers = \"a:1\"\n",
        "mqtt.brokers: expected a list, found the text \"a:1\" (put it in brackets: `[\"a:1\"]`)",
    );
    one("[mqtt]\nbrokers = [1]\n", "mqtt.brokers: expected a text in quotes, found 1 (put it in quotes)");
    one(
        "[sensor]\nkind = \"led\"\n",
        "sensor: expected a list, found a table (write `[[sensor]]`, with two brackets)",
    );
    one(
        "[[sensor]]\nkind = \"own\"\nplugin = 3\n",
        "sensor.plugin: expected a text in quotes or a list, found 3 ()",
    );
}

#[test]
fn a_value_out_of_range_or_of_no_choice_is_told_with_the_right_ones() {
    one("[mqtt]\nqos = 3\n", "mqtt.qos: expected 0, 1 or 2, found 3 ()");
    one(
        "[mqtt]\nversion = \"3.11\"\n",
        "mqtt.version: expected \"3.1.1\" or \"5\", found the text \"3.11\" (did you mean `\"3.1.1\"`?)",
    );
    one(
        "[[sensor]]\nkind = \"a\"\ninterval_s = 0\n",
        "sensor.interval_s: expected a number from 0.001 to 604800, found 0 ()",
    );
    one(
        "[[sensor]]\nkind = \"a\"\ncount = -1\n",
        "sensor.count: expected a whole number from 1 to 20000, found -1 ()",
    );
    one(
        "[[sensor]]\nkind = \"a\"\nkeep_alive_s = 2.5\n",
        "sensor.keep_alive_s: expected a whole number from 5 to 65535, found 2.5 ()",
    );
}

#[test]
fn a_missing_key_is_told_at_its_table() {
    one(
        "[[sensor]]\nid = \"a\"\n",
        "sensor: the key `kind` is missing (add a line `kind = \"…\"`; `mqtt-lab kinds` lists the kinds)",
    );
    one(
        "[[broker.users]]\nname = \"a\"\n",
        "broker.users: the key `password` is missing (add a line `password = …`)",
    );
}
