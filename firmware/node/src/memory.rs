//! All memory that a node needs.

use crate::answer::Answer;
use crate::part::Channels;
use crate::ring::Ring;
use crate::told::Told;
use crate::{Fault, ValueRef};

/// Most channels of a node, its three control variables included.
pub const MAX_CHANNELS: usize = 12;

/// Most parts of a node.
pub(crate) const MAX_PARTS: usize = 8;

/// Answers that wait to be sent at most; one more pushes out the oldest, whose sender sees a time-out.
const MAX_ANSWERS: usize = 4;

/// Longest packet that the node can receive, in bytes.
const RECEIVE: usize = 512;

/// What fits into packets that are sent and not yet acknowledged, in bytes.
const SEND: usize = 2048;

/// All memory that a node needs, for a `static`: nothing is allocated later.
///
/// `SAMPLES` is how many samples are kept through an outage, at least [`MAX_CHANNELS`]. When it is full, the
/// oldest measurement is dropped, or a state of which there is a newer one; the lab counts it as lost.
#[derive(Debug)]
pub struct Memory<const SAMPLES: usize> {
    pub(crate) channels: Channels,
    pub(crate) ring: Ring<SAMPLES>,
    pub(crate) notes: Notes,
    pub(crate) receive: [u8; RECEIVE],
    pub(crate) send: [u8; SEND],
}

impl<const SAMPLES: usize> Memory<SAMPLES> {
    /// Unused memory.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(SAMPLES >= MAX_CHANNELS, "the newest state of every channel must have room") };
        Self {
            channels: Channels::new(),
            ring: Ring::new(),
            notes: Notes::new(),
            receive: [0; RECEIVE],
            send: [0; SEND],
        }
    }
}

impl<const SAMPLES: usize> Default for Memory<SAMPLES> {
    fn default() -> Self {
        Self::new()
    }
}

/// What a node remembers beside samples.
#[derive(Debug)]
pub(crate) struct Notes {
    /// The states that were last sent, by channel.
    pub(crate) held: heapless::Vec<Option<ValueRef<'static>>, MAX_CHANNELS>,
    /// What is wrong with the parts.
    pub(crate) faults: heapless::Vec<Option<Fault>, MAX_PARTS>,
    /// Commands that were applied.
    pub(crate) told: Told,
    pub(crate) answers: heapless::Deque<Answer, MAX_ANSWERS>,
}

impl Notes {
    const fn new() -> Self {
        Self {
            // Filled by `fill`: unused memory must be zeros, or it would lie in flash, too.
            held: heapless::Vec::new(),
            faults: heapless::Vec::new(),
            told: Told::new(),
            answers: heapless::Deque::new(),
        }
    }

    /// Room for all channels and parts.
    pub(crate) fn fill(&mut self) {
        // Both have just this capacity.
        let _ = self.held.resize(MAX_CHANNELS, None);
        let _ = self.faults.resize(MAX_PARTS, None);
    }
}
