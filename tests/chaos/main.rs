//! Random faults on one running lab.
fn main() {}
