//! What was probably meant.

/// The word of `known` that is most like `word`, if one is so like it that it was probably meant: at most a
/// quarter of the letters and one more are wrong, missing or too many. Upper and lower case, `-` and `_` are
/// taken for the same.
///
/// ```
/// # use mqtt_lab_core::config::nearest;
/// assert_eq!(nearest("temprature", ["humidity", "temperature"]), Some("temperature"));
/// assert_eq!(nearest("Keep-Alive-S", ["keep_alive_s"]), Some("keep_alive_s"));
/// assert_eq!(nearest("sonar", ["humidity", "temperature"]), None);
/// ```
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word);
    let near = known.into_iter().map(|known| (distance(&plain(known), &word), known)).min();
    near.filter(|(far, _)| *far <= 1 + word.chars().count() / 4).map(|(_, known)| known)
}

fn plain(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

/// How many letters differ (Levenshtein distance).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != *y)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}
