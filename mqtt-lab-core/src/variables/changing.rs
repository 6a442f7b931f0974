//! A user makes, changes and deletes variables while the lab runs.

use super::{MAX_VARIABLES, Variables, is};
use crate::config::VariableConfig;
use crate::{BuildError, Error, LabBuilder, RunningLab};

/// Why a variable was not made, changed or deleted. Everything is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VariableError {
    /// There is none of that name.
    #[error("there is no variable `{0}`")]
    Unknown(String),
    /// There is one of that name.
    #[error("there is already a variable `{0}`")]
    Taken(String),
    /// It stands in the lab's file.
    #[error("the variable `{0}` stands in the lab's file: change it there")]
    Declared(String),
    /// It is not what a variable must be.
    #[error("{0}")]
    Wrong(String),
    /// There are as many as are possible.
    #[error("there are {MAX_VARIABLES} variables already, more are not possible")]
    TooMany,
    /// The memory, or the device that holds the variables.
    #[error("{0}")]
    Failed(Error),
}

impl Variables {
    /// Adds a variable; `lab` is a builder that knows the way to the broker, and no devices.
    ///
    /// # Errors
    ///
    /// [`VariableError`].
    pub async fn create(
        &mut self,
        mut new: VariableConfig,
        lab: LabBuilder,
        running: &mut RunningLab,
    ) -> Result<VariableConfig, VariableError> {
        new.group.get_or_insert_with(|| lab.default_group().to_owned());
        if self.all().any(|known| known.name() == new.name()) {
            return Err(VariableError::Taken(new.name()));
        }
        if self.all().count() >= MAX_VARIABLES {
            return Err(VariableError::TooMany);
        }
        let mut next = self.clone();
        next.own.push(new.clone());
        next.check(&lab)?;
        // A variable that a file had under this name may have left a value.
        self.values.forget(&new).await.map_err(VariableError::Failed)?;
        self.values.define(&new).await.map_err(VariableError::Failed)?;
        if let Err(error) = next.take_effect(lab, running).await {
            self.take_back(self.values.forget(&new).await);
            return Err(error);
        }
        *self = next;
        Ok(new)
    }

    /// Changes what a variable is, all but its group and id. Its value stays if it still fits.
    ///
    /// # Errors
    ///
    /// [`VariableError`].
    pub async fn change(
        &mut self,
        new: VariableConfig,
        lab: LabBuilder,
        running: &mut RunningLab,
    ) -> Result<VariableConfig, VariableError> {
        let at = self.own_place(new.group.as_deref().unwrap_or_default(), &new.id)?;
        let mut next = self.clone();
        let old = std::mem::replace(&mut next.own[at], new.clone());
        next.check(&lab)?;
        self.values.define(&new).await.map_err(VariableError::Failed)?;
        if let Err(error) = next.take_effect(lab, running).await {
            self.take_back(self.values.define(&old).await);
            return Err(error);
        }
        *self = next;
        Ok(new)
    }

    /// Deletes a variable with its value; who follows it keeps what it had last.
    ///
    /// # Errors
    ///
    /// [`VariableError`].
    pub async fn delete(
        &mut self,
        (group, id): (&str, &str),
        lab: LabBuilder,
        running: &mut RunningLab,
    ) -> Result<(), VariableError> {
        let at = self.own_place(group, id)?;
        let mut next = self.clone();
        let old = next.own.remove(at);
        next.take_effect(lab, running).await?;
        *self = next;
        self.values.forget(&old).await.map_err(VariableError::Failed)
    }

    /// The variable of a name, whoever made it.
    ///
    /// # Errors
    ///
    /// [`VariableError::Unknown`].
    pub fn find(&self, group: &str, id: &str) -> Result<&VariableConfig, VariableError> {
        let unknown = || VariableError::Unknown(format!("{group}/{id}"));
        self.all().find(|variable| is(variable, group, id)).ok_or_else(unknown)
    }

    fn own_place(&self, group: &str, id: &str) -> Result<usize, VariableError> {
        if self.is_declared(group, id) {
            return Err(VariableError::Declared(format!("{group}/{id}")));
        }
        let unknown = || VariableError::Unknown(format!("{group}/{id}"));
        self.own.iter().position(|variable| is(variable, group, id)).ok_or_else(unknown)
    }

    /// What is wrong with what a user made; what is in the file was checked when it was read.
    fn check(&self, lab: &LabBuilder) -> Result<(), VariableError> {
        let problems = self.problems(lab.device_count(), &std::collections::BTreeMap::new());
        if problems.is_empty() {
            return Ok(());
        }
        Err(VariableError::Wrong(in_words(&problems)))
    }

    async fn take_effect(&self, lab: LabBuilder, running: &mut RunningLab) -> Result<(), VariableError> {
        let wrong = |error: BuildError| match &error {
            BuildError::Devices(problems) => VariableError::Wrong(in_words(problems)),
            error => VariableError::Failed(Error::with_causes(error)),
        };
        let lab = lab.variables(self).build().map_err(wrong)?;
        let changes = running.apply_variables(lab).await.map_err(wrong)?;
        match changes.kept_old.first() {
            Some((device, why)) => {
                Err(VariableError::Failed(Error::new(format_args!("`{device}` cannot take it over: {why}"))))
            }
            None => Ok(()),
        }
    }

    fn take_back(&self, outcome: Result<(), Error>) {
        if let Err(error) = outcome {
            tracing::error!(%error, "a variable that could not be taken over may be there after a restart");
        }
    }
}

fn in_words(problems: &[crate::config::Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
