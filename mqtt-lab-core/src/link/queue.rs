//! The queue between a link's task and its [`Events`](super::Events).

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::sync::Notify;

use super::shared::locked;
use super::{Event, Qos};

/// Holds `capacity` messages; never waits. Empty, it holds no memory.
///
/// News of the connection always fit, messages only while there is room: the task asks before it
/// reads one. While a publisher waits for room in the spool, `capacity` holds for messages of QoS 1 and
/// 2 alone, so the queue may hold twice as many.
#[derive(Debug)]
pub(super) struct EventQueue {
    capacity: usize,
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    /// Messages of QoS 1 and 2 among them.
    reliable: usize,
    /// The task found no room and wants to hear when there is some.
    starving: bool,
    /// No more events will come.
    ended: bool,
    /// Nobody takes events any more.
    discarding: bool,
}

impl EventQueue {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, state: Mutex::default(), filled: Notify::new() }
    }

    /// Whether a message fits. After a `false`, [`EventQueue::next`] reports when room has come.
    pub(super) fn has_room(&self) -> bool {
        let mut state = locked(&self.state);
        state.starving = state.events.len() >= self.capacity && !state.discarding;
        !state.starving
    }

    /// Whether a message of QoS 1 or 2 fits if those of QoS 0 do not count. An MQTT 5 broker never has more
    /// of them under way.
    pub(super) fn has_room_for_reliable(&self) -> bool {
        locked(&self.state).reliable < self.capacity
    }

    /// Adds an event and wakes whoever waits for one.
    pub(super) fn push(&self, event: Event) {
        self.add(event);
        self.announce();
    }

    /// Wakes whoever waits for an event.
    pub(super) fn announce(&self) {
        self.filled.notify_one();
    }

    /// As [`EventQueue::push`], without waking: of many events the reader shall hear once.
    pub(super) fn add(&self, event: Event) {
        let mut state = locked(&self.state);
        if state.discarding {
            // Before the event: what a message does when it is dropped is no business of this lock.
            drop(state);
            return;
        }
        if state.events.len() >= self.capacity {
            merge(&mut state.events);
        }
        state.reliable += usize::from(is_reliable(&event));
        state.events.push_back(event);
    }

    /// The next event, and whether a starving task can go on.
    pub(super) async fn next(&self) -> (Option<Event>, bool) {
        loop {
            {
                let mut state = locked(&self.state);
                if let Some(event) = state.events.pop_front() {
                    state.reliable -= usize::from(is_reliable(&event));
                    let room = state.starving && state.events.len() <= self.capacity / 2;
                    state.starving &= !room;
                    if state.events.is_empty() {
                        state.events = VecDeque::new();
                    }
                    return (Some(event), room);
                }
                if state.ended {
                    return (None, false);
                }
            }
            self.filled.notified().await;
        }
    }

    /// No more events will come.
    pub(super) fn end(&self) {
        locked(&self.state).ended = true;
        self.filled.notify_one();
    }

    /// Nobody takes events any more.
    pub(super) fn discard(&self) {
        let mut state = locked(&self.state);
        state.discarding = true;
        let events = std::mem::take(&mut state.events);
        state.reliable = 0;
        drop(state);
        drop(events);
    }
}

/// Keeps a full queue from growing while the connection comes and goes: two changes at its end
/// that cancel each other out are left out.
fn merge(events: &mut VecDeque<Event>) {
    let news = |event: &Event| matches!(event, Event::Connected { .. } | Event::Disconnected { .. });
    let mut last = events.iter().rev().take(2).map(news);
    if (last.next(), last.next()) == (Some(true), Some(true)) {
        events.truncate(events.len() - 2);
    }
}

fn is_reliable(event: &Event) -> bool {
    matches!(event, Event::Message(message) if message.qos != Qos::AtMostOnce)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::link::Incoming;

    fn message() -> Event {
        Event::Message(Incoming::detached("t", "p"))
    }

    fn lost() -> Event {
        Event::Disconnected { reason: "cut".into() }
    }

    fn back() -> Event {
        Event::Connected { session_present: true, broker: "b:1".into() }
    }

    #[tokio::test]
    async fn a_starving_task_goes_on_when_half_of_the_queue_is_free() {
        let queue = EventQueue::new(4);
        (0..4).for_each(|_| queue.push(message()));
        assert!(!queue.has_room());
        assert!(!queue.next().await.1);
        assert!(queue.next().await.1);
        assert!(queue.has_room());
        assert!(!queue.next().await.1, "said once");
    }

    #[tokio::test]
    async fn a_full_queue_does_not_grow_with_an_unsteady_connection() {
        let queue = EventQueue::new(2);
        queue.push(message());
        queue.push(message());
        for _ in 0..100 {
            queue.push(lost());
            queue.push(back());
        }
        queue.end();
        let mut connected = true;
        let mut count = 0;
        while let Some(event) = queue.next().await.0 {
            count += 1;
            match event {
                Event::Message(_)
                | Event::Discarded { .. }
                | Event::ClientIdContested { .. }
                | Event::ClientIdFree => {}
                Event::Disconnected { .. } => assert!(std::mem::take(&mut connected)),
                Event::Connected { .. } => assert!(!std::mem::replace(&mut connected, true)),
            }
        }
        assert!(connected && count <= 4, "{count}");
    }

    #[tokio::test]
    async fn messages_of_qos_0_take_no_room_from_the_others() {
        let queue = EventQueue::new(2);
        let mut unreliable = Incoming::detached("t", "p");
        unreliable.qos = Qos::AtMostOnce;
        queue.push(Event::Message(unreliable));
        queue.push(message());
        assert!(!queue.has_room() && queue.has_room_for_reliable());
        queue.push(message());
        assert!(!queue.has_room_for_reliable());
        queue.next().await;
        assert!(!queue.has_room_for_reliable());
        queue.next().await;
        assert!(queue.has_room_for_reliable());
    }

    #[test]
    fn nobody_to_take_events_means_room() {
        let queue = EventQueue::new(1);
        queue.push(message());
        queue.discard();
        queue.push(message());
        assert!(queue.has_room());
    }
}
