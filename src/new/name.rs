//! Names that a new plugin may have.

use crate::failure::Failure;

/// What Rust, Cargo or a file system wants for itself.
const RESERVED: &str = "abstract alloc as async await become box break const continue core crate do dyn else \
    enum extern false final fn for gen if impl in let loop macro match mod move mut mqtt-lab-core mqtt-lab-wire \
    override priv proc-macro pub ref return self serde static std struct super test trait true try type typeof \
    union unsafe unsized use virtual where while yield aux com1 com2 com3 com4 con lpt1 lpt2 lpt3 nul prn";

/// Words whose type or module would hide one that the templates need; they get a `my` before them.
const TAKEN: &str = "abc actuator array ast bisect channel clone codecs collections copy copyreg datatype debug \
    default description deserialize dis drop enum err error fn inspect io iterator json json-schema keyword kind \
    linecache none ok operator option os plugin posix qos reading re reprlib result send sensor server \
    signal site some stat string sync sys test time token tokenize traceback types unittest value vec warnings \
    select";

/// Longest name: what a level of a topic may have.
const MAX_LENGTH: usize = 64;

/// The name of a plugin and of its kind: a word of `a-z 0-9 -` that begins with a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Checks a name; a wrong one is answered with the right one where there is one.
    pub(super) fn new(word: &str) -> Result<Self, Failure> {
        if is_word(word) && !is_reserved(word) {
            return Ok(Self(word.into()));
        }
        let meant = corrected(word);
        let (problem, hint) = match is_reserved(word) {
            true => (format!("`{word}` means something else to Rust or the system"), format!("my-{word}")),
            false => (
                format!(
                    "`{word}` cannot be a name: it has up to {MAX_LENGTH} of the characters `a-z`, `0-9` and `-`, begins \
                     with a letter and ends without `-`"
                ),
                meant,
            ),
        };
        let hint = (!hint.is_empty()).then(|| format!("did you mean `{hint}`?"));
        Err(Failure::config(problem, hint))
    }

    /// As it stands in TOML.
    pub(super) fn word(&self) -> &str {
        &self.0
    }

    /// As a part of a C symbol: `my_sensor`.
    pub(super) fn identifier(&self) -> String {
        self.0.replace('-', "_")
    }

    /// As a module of Python, which hides none of the standard library that the script needs: `my_sensor`.
    pub(super) fn module(&self) -> String {
        let prefix = if self.hides_another() { "my_" } else { "" };
        format!("{prefix}{}", self.identifier())
    }

    /// As a type: `MySensor`.
    pub(super) fn type_name(&self) -> String {
        let prefix = if self.hides_another() { "my" } else { "" };
        [prefix].into_iter().chain(self.0.split('-')).map(capitalized).collect()
    }

    fn hides_another(&self) -> bool {
        TAKEN.split_whitespace().any(|taken| taken == self.0)
    }
}

fn is_word(word: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = word.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    begins
        && word.len() <= MAX_LENGTH
        && word.bytes().all(valid)
        && !word.ends_with('-')
        && !word.contains("--")
}

fn is_reserved(word: &str) -> bool {
    RESERVED.split_whitespace().any(|reserved| reserved == word)
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| format!("{}{}", first.to_ascii_uppercase(), letters.as_str()))
}

/// The nearest right name; empty where there is none.
fn corrected(wrong: &str) -> String {
    let mut word = String::new();
    let mut before = ' ';
    for letter in wrong.chars() {
        if letter.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit()) {
            word.push('-');
        }
        before = letter;
        match letter.to_lowercase().next().unwrap_or(letter) {
            'ä' => word.push_str("ae"),
            'ö' => word.push_str("oe"),
            'ü' => word.push_str("ue"),
            'ß' => word.push_str("ss"),
            letter if letter.is_ascii_alphanumeric() => word.push(letter),
            _ => word.push('-'),
        }
    }
    let parts: Vec<_> = word.split('-').filter(|part| !part.is_empty()).collect();
    let word = parts.join("-");
    let word = word.trim_start_matches(|letter: char| !letter.is_ascii_lowercase());
    let word = word[..word.len().min(MAX_LENGTH)].trim_end_matches('-');
    if is_reserved(word) { format!("my-{word}") } else { word.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_corrected() {
        for (wrong, right) in [
            ("My_Sensor", "my-sensor"),
            ("MySensor", "my-sensor"),
            ("2nd tank", "nd-tank"),
            ("Küche 1", "kueche-1"),
            ("tank--", "tank"),
            ("Type", "my-type"),
            ("123", ""),
            ("../tank", "tank"),
        ] {
            assert_eq!(corrected(wrong), right, "{wrong}");
            assert!(Name::new(wrong).is_err(), "{wrong}");
        }
        assert!(Name::new("type").is_err());
        assert!(Name::new(&"x".repeat(65)).is_err());
    }

    #[test]
    fn a_name_has_a_form_for_every_language() {
        let name = Name::new("my-sensor2").expect("right");
        let forms = (name.identifier(), name.module(), name.type_name());
        assert_eq!(forms, ("my_sensor2".into(), "my_sensor2".into(), "MySensor2".into()));
    }

    #[test]
    fn no_name_hides_what_the_templates_need() {
        let name = Name::new("sensor").expect("right");
        assert_eq!((name.module(), name.type_name()), ("my_sensor".into(), "MySensor".into()));
        assert_eq!(Name::new("json").expect("right").module(), "my_json");
    }
}
