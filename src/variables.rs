//! What a page asks of the variables, done to the running lab.

use mqtt_lab_core::config::VariableConfig;
use mqtt_lab_core::{LabBuilder, RunningLab, Variables};
use mqtt_lab_web::{VariableAnswer, VariableRequest, VariableView, VariableWish};

/// Does what is asked, and answers with the variables it was about. `lab` knows the way to the broker.
pub(crate) async fn serve(
    variables: &mut Variables,
    request: VariableRequest,
    lab: LabBuilder,
    devices: &mut RunningLab,
) {
    let answer = done(variables, request.wish.clone(), lab, devices).await;
    let done = match &request.wish {
        VariableWish::List => None,
        VariableWish::Create(new) => Some(("made", &new.id)),
        VariableWish::Change { id, .. } => Some(("changed", id)),
        VariableWish::Delete { id, .. } => Some(("deleted", id)),
    };
    if let (Some((what, variable)), Ok(_)) = (done, &answer) {
        tracing::info!(variable, "variable {what} in the page");
    }
    request.answer(answer);
}

async fn done(
    variables: &mut Variables,
    wish: VariableWish,
    lab: LabBuilder,
    devices: &mut RunningLab,
) -> VariableAnswer {
    let made = |variable: VariableConfig| vec![VariableView { variable, declared: false }];
    match wish {
        VariableWish::List => Ok(all(variables)),
        VariableWish::Create(new) => variables.create(*new, lab, devices).await.map(made),
        VariableWish::Change { group, id, change } => {
            let changed = change.of(variables.find(&group, &id)?)?;
            variables.change(changed, lab, devices).await.map(made)
        }
        VariableWish::Delete { group, id } => {
            variables.delete((&group, &id), lab, devices).await.map(|()| Vec::new())
        }
    }
}

fn all(variables: &Variables) -> Vec<VariableView> {
    let view = |variable: &VariableConfig| {
        let declared = variables.is_declared(variable.group.as_deref().unwrap_or_default(), &variable.id);
        VariableView { variable: variable.clone(), declared }
    };
    variables.all().map(view).collect()
}
