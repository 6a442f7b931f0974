//! Who wants which topics: a tree of topic levels (MQTT 5.0 section 4.7).

use std::collections::HashMap;

use mqtt_lab_wire::Qos;
use serde::{Deserialize, Serialize};

/// Most levels of a filter. MQTT knows no limit; a class has no use for more.
pub(super) const MOST_LEVELS: usize = 128;

/// How a client wants the messages of a filter. On disk its fields are never reordered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subscription {
    pub(super) qos: Qos,
    pub(super) no_local: bool,
    pub(super) retain_as_published: bool,
    pub(super) retained: RetainedOn,
    pub(super) identifier: Option<u32>,
}

/// When a subscription gets the retained messages (MQTT 5.0 section 3.8.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum RetainedOn {
    #[default]
    EverySubscribe,
    NewSubscription,
    Never,
}

/// A filter as a client writes it, `$share/NAME/` taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Filter<'a> {
    /// The clients of one name share the messages.
    pub(super) share: Option<&'a str>,
    pub(super) levels: &'a str,
}

impl<'a> Filter<'a> {
    /// `None`: `$share` without a name or a filter (MQTT-4.8.2-1, MQTT-4.8.2-2).
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let Some(shared) = text.strip_prefix("$share/") else {
            return Some(Self { share: None, levels: text });
        };
        let (name, levels) = shared.split_once('/')?;
        let named = !name.is_empty() && !name.contains(['+', '#']);
        (named && !levels.is_empty()).then_some(Self { share: Some(name), levels })
    }
}

/// Every subscription of every session.
#[derive(Debug, Default)]
pub(super) struct Filters {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<str>, Node>,
    plus: Option<Box<Node>>,
    /// Subscriptions whose filter ends here, and those that end with `#` here.
    here: Leaf,
    below: Leaf,
}

/// The subscriptions of one filter.
#[derive(Debug, Default)]
pub(super) struct Leaf {
    pub(super) own: Vec<(u64, Subscription)>,
    pub(super) shared: Vec<Share>,
}

/// The sessions that share the messages of a filter.
#[derive(Debug)]
pub(super) struct Share {
    name: Box<str>,
    pub(super) members: Vec<(u64, Subscription)>,
    /// Whose turn it is.
    pub(super) turn: usize,
}

impl Leaf {
    fn is_empty(&self) -> bool {
        self.own.is_empty() && self.shared.is_empty()
    }

    fn members(&mut self, share: Option<&str>) -> &mut Vec<(u64, Subscription)> {
        let Some(name) = share else { return &mut self.own };
        let at = self.shared.iter().position(|share| &*share.name == name).unwrap_or_else(|| {
            self.shared.push(Share { name: name.into(), members: Vec::new(), turn: 0 });
            self.shared.len() - 1
        });
        &mut self.shared[at].members
    }

    fn remove(&mut self, session: u64, share: Option<&str>) {
        self.members(share).retain(|(member, _)| *member != session);
        self.shared.retain(|share| !share.members.is_empty());
    }
}

impl Filters {
    /// Adds a subscription, or replaces that of the same session and filter.
    pub(super) fn insert(&mut self, filter: Filter<'_>, session: u64, subscription: Subscription) {
        let members = self.root.leaf(filter.levels.split('/')).members(filter.share);
        match members.iter_mut().find(|(member, _)| *member == session) {
            Some(member) => member.1 = subscription,
            None => members.push((session, subscription)),
        }
    }

    /// Takes a subscription away.
    pub(super) fn remove(&mut self, filter: Filter<'_>, session: u64) {
        self.root.remove(filter.levels.split('/'), session, filter.share);
    }

    /// Calls `visit` with every leaf whose filter matches a topic.
    pub(super) fn matching(&mut self, topic: &str, visit: &mut impl FnMut(&mut Leaf)) {
        // A wildcard does not match the first level of `$…` (MQTT-4.7.2-1).
        self.root.visit(topic.split('/'), !topic.starts_with('$'), visit);
    }
}

impl Node {
    fn leaf<'a>(&mut self, mut levels: impl Iterator<Item = &'a str>) -> &mut Leaf {
        match levels.next() {
            None => &mut self.here,
            Some("#") => &mut self.below,
            Some("+") => self.plus.get_or_insert_default().leaf(levels),
            Some(level) => self.children.entry(level.into()).or_default().leaf(levels),
        }
    }

    /// True if nothing is left of this node.
    fn remove<'a>(
        &mut self,
        mut levels: impl Iterator<Item = &'a str>,
        session: u64,
        share: Option<&str>,
    ) -> bool {
        match levels.next() {
            None => self.here.remove(session, share),
            Some("#") => self.below.remove(session, share),
            Some("+") => {
                if self.plus.as_mut().is_some_and(|plus| plus.remove(levels, session, share)) {
                    self.plus = None;
                }
            }
            Some(level) => {
                if self.children.get_mut(level).is_some_and(|child| child.remove(levels, session, share)) {
                    self.children.remove(level);
                }
            }
        }
        self.children.is_empty() && self.plus.is_none() && self.here.is_empty() && self.below.is_empty()
    }

    fn visit<'a>(
        &mut self,
        mut levels: impl Iterator<Item = &'a str> + Clone,
        wildcards: bool,
        visit: &mut impl FnMut(&mut Leaf),
    ) {
        // `a/#` matches `a` as well (MQTT 5.0 section 4.7.1.2).
        if wildcards && !self.below.is_empty() {
            visit(&mut self.below);
        }
        let Some(level) = levels.next() else {
            if !self.here.is_empty() {
                visit(&mut self.here);
            }
            return;
        };
        if let Some(child) = self.children.get_mut(level) {
            child.visit(levels.clone(), true, visit);
        }
        if wildcards && let Some(plus) = &mut self.plus {
            plus.visit(levels, true, visit);
        }
    }
}

/// Whether a filter without `$share` matches a topic.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filter(text: &str) -> Filter<'_> {
        Filter::parse(text).unwrap()
    }

    fn found(filters: &mut Filters, topic: &str) -> Vec<u64> {
        let mut found = Vec::new();
        filters.matching(topic, &mut |leaf| {
            found.extend(leaf.own.iter().map(|(session, _)| *session));
            found.extend(leaf.shared.iter().flat_map(|share| share.members.iter().map(|member| member.0)));
        });
        found.sort_unstable();
        found
    }

    #[test]
    fn the_examples_of_section_4_7() {
        let mut filters = Filters::default();
        for (session, text) in
            ["a/#", "a/+", "+/+", "/+", "#", "$SYS/#", "a", "a/+/#", "$share/s/a/b"].iter().enumerate()
        {
            filters.insert(filter(text), session as u64, Subscription::default());
        }
        assert_eq!(found(&mut filters, "a"), [0, 4, 6]);
        assert_eq!(found(&mut filters, "a/b"), [0, 1, 2, 4, 7, 8]);
        assert_eq!(found(&mut filters, "/x"), [2, 3, 4]);
        assert_eq!(found(&mut filters, "a/"), [0, 1, 2, 4, 7]);
        assert_eq!(found(&mut filters, "$SYS/x"), [5]);
    }

    #[test]
    fn a_share_needs_a_name_and_a_filter() {
        assert_eq!(Filter::parse("$share/a/b/#"), Some(Filter { share: Some("a"), levels: "b/#" }));
        for bad in ["$share/a", "$share/a/", "$share//b", "$share/+/b"] {
            assert_eq!(Filter::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        /// The tree agrees with the plain comparison, and is empty when all is taken away.
        #[test]
        fn the_tree_finds_what_matches(
            texts in prop::collection::vec("(\\$|a|b|\\+|)(/(a|b|\\+|)){0,3}(/#)?", 0..8),
            topic in "(\\$|a|b|)(/(a|b|)){0,4}",
        ) {
            let mut filters = Filters::default();
            for (session, text) in texts.iter().enumerate() {
                filters.insert(filter(text), session as u64, Subscription::default());
            }
            let expected: Vec<_> = texts.iter().enumerate()
                .filter(|(_, text)| matches(text, &topic)).map(|(session, _)| session as u64).collect();
            prop_assert_eq!(found(&mut filters, &topic), expected);
            for (session, text) in texts.iter().enumerate() {
                filters.remove(filter(text), session as u64);
            }
            prop_assert!(filters.root.children.is_empty() && filters.root.plus.is_none());
        }
    }
}
