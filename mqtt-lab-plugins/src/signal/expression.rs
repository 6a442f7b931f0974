//! A formula in the time `t`: read once, with the place of a mistake, and calculated for every reading.

use mqtt_lab_core::prelude::*;

/// Longest formula, in bytes.
pub(super) const MAX_BYTES: u32 = 256;
/// Most brackets, functions, signs and powers within one another.
const MAX_DEPTH: u32 = 32;

/// A formula in `t`, as it is calculated: operands first, then what is done with them.
#[derive(Debug)]
pub(super) struct Expression {
    text: String,
    steps: Vec<Step>,
}

/// A function of one number.
type One = fn(f64) -> f64;
/// A function of two numbers.
type Two = fn(f64, f64) -> f64;

#[derive(Debug)]
enum Step {
    Number(f64),
    Time,
    /// Replaces the last number.
    One(One),
    /// Replaces the last two numbers.
    Two(Two),
}

/// Functions of one argument.
const ONE: [(&str, One); 8] = [
    ("sin", f64::sin),
    ("cos", f64::cos),
    ("tan", f64::tan),
    ("exp", f64::exp),
    ("ln", f64::ln),
    ("sqrt", f64::sqrt),
    ("abs", f64::abs),
    ("floor", f64::floor),
];

/// Functions of two arguments.
const TWO: [(&str, Two); 2] = [("min", f64::min), ("max", f64::max)];

impl Expression {
    /// Reads a formula of numbers, `t`, `pi`, `+ - * / % ^`, brackets and functions.
    ///
    /// # Errors
    ///
    /// Names the character, counted from 1, and what was expected there.
    pub(super) fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_BYTES as usize {
            let n = text.len();
            return Err(Error::new(format_args!(
                "the formula has {n} bytes, at most {MAX_BYTES} are allowed"
            )));
        }
        let mut parser = Parser { chars: text.chars().collect(), at: 0, depth: 0, steps: Vec::new() };
        parser.sum()?;
        match parser.peek() {
            None => Ok(Self { text: text.to_owned(), steps: parser.steps }),
            Some(_) => Err(parser.expected("an operator such as `+`, or the end")),
        }
    }

    /// The formula as it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Its value at `t` seconds.
    ///
    /// # Errors
    ///
    /// If there is none, as of `1 / t` at 0.
    pub(super) fn at(&self, t: f64) -> Result<f64> {
        let mut stack: Vec<f64> = Vec::with_capacity(8);
        for step in &self.steps {
            let value = match step {
                Step::Number(number) => *number,
                Step::Time => t,
                Step::One(function) => function(stack.pop().unwrap_or(f64::NAN)),
                Step::Two(function) => {
                    let (b, a) = (stack.pop().unwrap_or(f64::NAN), stack.pop().unwrap_or(f64::NAN));
                    function(a, b)
                }
            };
            stack.push(value);
        }
        let value = stack.pop().unwrap_or(f64::NAN);
        if value.is_finite() {
            return Ok(value);
        }
        Err(Error::new(format_args!("the formula `{}` has no finite value at t = {t} s", self.text)))
    }
}

/// Reads from left to right; each method reads what binds at least as strongly as its name says.
struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: u32,
    steps: Vec<Step>,
}

impl Parser {
    fn sum(&mut self) -> Result<()> {
        self.product()?;
        while let Some(operator) = self.any_of(&['+', '-']) {
            self.product()?;
            self.steps.push(Step::Two(if operator == '+' { |a, b| a + b } else { |a, b| a - b }));
        }
        Ok(())
    }

    fn product(&mut self) -> Result<()> {
        self.signed()?;
        while let Some(operator) = self.any_of(&['*', '/', '%']) {
            self.signed()?;
            self.steps.push(Step::Two(match operator {
                '*' => |a, b| a * b,
                '/' => |a, b| a / b,
                _ => f64::rem_euclid,
            }));
        }
        Ok(())
    }

    /// A sign binds less than a power: `-2^2` is -4.
    fn signed(&mut self) -> Result<()> {
        match self.any_of(&['+', '-']) {
            Some('-') => {
                self.deeper(Self::signed)?;
                self.steps.push(Step::One(|a| -a));
                Ok(())
            }
            Some(_) => self.deeper(Self::signed),
            None => self.power(),
        }
    }

    /// From right to left: `2^3^2` is 512.
    fn power(&mut self) -> Result<()> {
        self.operand()?;
        if self.any_of(&['^']).is_some() {
            self.deeper(Self::signed)?;
            self.steps.push(Step::Two(f64::powf));
        }
        Ok(())
    }

    fn operand(&mut self) -> Result<()> {
        match self.peek() {
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_ascii_alphabetic() => self.name(),
            Some('(') => {
                self.at += 1;
                self.deeper(Self::sum)?;
                self.need(')')
            }
            _ => Err(self.expected("a number, `t`, `pi`, a function or `(`")),
        }
    }

    fn number(&mut self) -> Result<()> {
        let start = self.at;
        self.skip(|c| c.is_ascii_digit() || c == '.');
        // 1e3, but not 1 e: an exponent has digits.
        let exponent = &self.chars[self.at..];
        let signs = usize::from(matches!(exponent.get(1), Some('+' | '-')));
        if matches!(exponent.first(), Some('e' | 'E'))
            && exponent.get(1 + signs).is_some_and(char::is_ascii_digit)
        {
            self.at += 1 + signs;
            self.skip(|c| c.is_ascii_digit());
        }
        let text: String = self.chars[start..self.at].iter().collect();
        let number = text.parse().map_err(|_| Self::error(start, format_args!("`{text}` is no number")))?;
        self.steps.push(Step::Number(number));
        Ok(())
    }

    fn name(&mut self) -> Result<()> {
        let start = self.at;
        self.skip(|c| c.is_ascii_alphanumeric() || c == '_');
        let name: String = self.chars[start..self.at].iter().collect();
        if let Some((_, function)) = ONE.iter().find(|(known, _)| *known == name) {
            self.arguments(1)?;
            self.steps.push(Step::One(*function));
        } else if let Some((_, function)) = TWO.iter().find(|(known, _)| *known == name) {
            self.arguments(2)?;
            self.steps.push(Step::Two(*function));
        } else {
            self.steps.push(match name.as_str() {
                "t" => Step::Time,
                "pi" => Step::Number(std::f64::consts::PI),
                _ => return Err(Self::error(start, format_args!("`{name}` is not known: {}", known()))),
            });
        }
        Ok(())
    }

    /// `(a)` or `(a, b)`.
    fn arguments(&mut self, count: u32) -> Result<()> {
        self.need('(')?;
        self.deeper(Self::sum)?;
        for _ in 1..count {
            self.need(',')?;
            self.deeper(Self::sum)?;
        }
        self.need(')')
    }

    fn deeper(&mut self, read: fn(&mut Self) -> Result<()>) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let what = format_args!("more than {MAX_DEPTH} brackets, signs and powers within one another");
            return Err(Self::error(self.at, what));
        }
        read(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn need(&mut self, wanted: char) -> Result<()> {
        self.any_of(&[wanted]).map(drop).ok_or_else(|| self.expected(&format!("`{wanted}`")))
    }

    fn any_of(&mut self, wanted: &[char]) -> Option<char> {
        let found = self.peek().filter(|c| wanted.contains(c))?;
        self.at += 1;
        Some(found)
    }

    /// The next character that is no space.
    fn peek(&mut self) -> Option<char> {
        self.skip(char::is_whitespace);
        self.chars.get(self.at).copied()
    }

    fn skip(&mut self, which: impl Fn(char) -> bool) {
        while self.chars.get(self.at).is_some_and(|c| which(*c)) {
            self.at += 1;
        }
    }

    fn expected(&mut self, what: &str) -> Error {
        let found = self.peek().map_or_else(|| "the end".to_owned(), |c| format!("`{c}`"));
        Self::error(self.at, format_args!("expected {what}, found {found}"))
    }

    fn error(at: usize, what: impl std::fmt::Display) -> Error {
        Error::new(format_args!("at character {} of the formula: {what}", at + 1))
    }
}

/// The names that a formula may use.
fn known() -> String {
    let functions = ONE.iter().map(|(name, _)| *name).chain(TWO.iter().map(|(name, _)| *name));
    ["t", "pi"].into_iter().chain(functions).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, t: f64, expected: f64) {
        let value = Expression::parse(text).and_then(|formula| formula.at(t)).expect("a value");
        assert!((value - expected).abs() < 1e-12, "{text} at {t}: {value}");
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let error = Expression::parse(text).and_then(|formula| formula.at(0.0)).expect_err("a mistake");
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn it_calculates_as_in_mathematics() {
        check("1 + 2 * 3", 0.0, 7.0);
        check("(1 + 2) * 3 - 4 / 8", 0.0, 8.5);
        check("2 - 3 - 4", 0.0, -5.0);
        check("-2^2", 0.0, -4.0);
        check("2^3^2", 0.0, 512.0);
        check("2^-1", 0.0, 0.5);
        check("t % 4", 7.0, 3.0);
        check("1.5e2 + .5", 0.0, 150.5);
        check("20 + 2*sin(2*pi*t/60)", 15.0, 22.0);
        check("max(0, min(t, 10)) + abs(-1) + exp(0) + floor(1.9)", 25.0, 13.0);
        check("sqrt(cos(0)) + ln(1) + tan(0)", 0.0, 1.0);
    }

    #[test]
    fn a_mistake_has_a_place() {
        refused(
            "1 +",
            "at character 4 of the formula: expected a number, `t`, `pi`, a function or `(`, found the end",
        );
        refused("(1 + 2", "at character 7 of the formula: expected `)`, found the end");
        refused(
            "2 t",
            "at character 3 of the formula: expected an operator such as `+`, or the end, found `t`",
        );
        refused("max(1)", "at character 6 of the formula: expected `,`, found `)`");
        refused("1.2.3", "at character 1 of the formula: `1.2.3` is no number");
        refused(
            "2*x",
            "at character 3 of the formula: `x` is not known: t, pi, sin, cos, tan, exp, ln, sqrt, abs, floor, min, max",
        );
        refused("1 / t", "the formula `1 / t` has no finite value at t = 0 s");
        refused(
            "",
            "at character 1 of the formula: expected a number, `t`, `pi`, a function or `(`, found the end",
        );
    }

    #[test]
    fn length_and_depth_are_bounded() {
        let long = "1+".repeat(200);
        refused(&long, "the formula has 400 bytes, at most 256 are allowed");
        for deep in ["(".repeat(256), "-".repeat(256), "1^".repeat(128), "sin(".repeat(64)] {
            let error = Expression::parse(&deep).expect_err("too deep").to_string();
            assert!(error.contains("more than 32 brackets, signs and powers within one another"), "{error}");
        }
        assert!(Expression::parse(&format!("{}1{}", "(".repeat(32), ")".repeat(32))).is_ok());
    }
}
