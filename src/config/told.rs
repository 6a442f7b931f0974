//! Mistakes in words.

use crate::failure::Failure;

/// A mistake in words: the byte where it stands in its file, message and hint.
pub(crate) type Told = (usize, String, Option<String>);

/// All of them, in the order in which they stand.
pub(crate) fn told(mut mistakes: Vec<Told>) -> Failure {
    mistakes.sort_by_key(|(byte, ..)| *byte);
    Failure::mistakes(mistakes.into_iter().map(|(_, message, hint)| (message, hint)).collect())
}
