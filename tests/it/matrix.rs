//! The kill matrix: every step, at each of its calls of the engine and of nft, meets every fault, under load; and at each
//! of its requests of the engine's socket.
//!
//! Beside it, signals at random moments. How many of the cases are run is a matter of effort (`stage::effort`).

mod case;
mod fault;
mod lane;
mod moments;
mod processes;
mod rows;
mod state;
mod steps;

use fault::Fault;
use rows::{run, run_at_socket};
use steps::Step;

#[test]
fn promote_killed_before_any_call_is_finished_by_its_heir() {
    run(Step::Promote, &[Fault::KillBefore], true);
}

#[test]
fn promote_killed_after_any_call_is_finished_by_its_heir() {
    run(Step::Promote, &[Fault::KillAfter], true);
}

#[test]
fn promote_killed_before_any_call_without_an_heir_is_finished_by_the_same_command() {
    run(Step::Promote, &[Fault::KillBefore], false);
}

#[test]
fn promote_killed_after_any_call_without_an_heir_is_finished_by_the_same_command() {
    run(Step::Promote, &[Fault::KillAfter], false);
}

#[test]
fn promote_survives_the_failure_of_any_call() {
    run(Step::Promote, &[Fault::Fail], true);
}

#[test]
fn promote_survives_a_hang_of_any_call() {
    run(Step::Promote, &[Fault::Hang], true);
}

#[test]
fn promote_survives_a_hang_of_any_call_that_was_carried_out() {
    run(Step::Promote, &[Fault::Late], true);
}

#[test]
fn promote_survives_the_loss_of_half_of_any_answer() {
    run(Step::Promote, &[Fault::Cut], true);
}

#[test]
fn promote_of_an_app_that_is_called_by_its_name_survives_every_fault_at_any_call() {
    run(Step::PromoteByName, &Fault::ALL, true);
}

#[test]
fn promote_of_an_app_behind_a_proxy_survives_every_fault_at_any_call() {
    run(Step::PromoteByAlias, &Fault::ALL, true);
}

#[test]
fn pull_image_survives_every_fault_at_any_call() {
    run(Step::Pull, &Fault::ALL, false);
}

#[test]
fn start_candidate_survives_every_fault_at_any_call() {
    run(Step::Start, &Fault::ALL, false);
}

#[test]
fn probe_health_survives_every_fault_at_any_call() {
    run(Step::Probe, &Fault::ALL, false);
}

#[test]
fn prune_app_survives_every_fault_at_any_call() {
    run(Step::Prune, &Fault::ALL, false);
}

#[test]
fn promote_survives_every_fault_at_any_request_of_the_engines_socket() {
    run_at_socket(Step::Promote, &Fault::ALL);
}

#[test]
fn promote_of_an_app_that_is_called_by_its_name_survives_every_fault_at_any_request_of_the_socket()
{
    run_at_socket(Step::PromoteByName, &Fault::ALL);
}

#[test]
fn the_other_steps_survive_every_fault_at_any_request_of_the_engines_socket() {
    for step in [Step::Pull, Step::Start, Step::Probe, Step::Prune] {
        run_at_socket(step, &Fault::ALL);
    }
}

#[test]
fn promote_survives_signals_and_losses_at_random_moments() {
    moments::run(Step::Promote, [2, 3, 60]);
}

#[test]
fn the_other_steps_survive_signals_and_losses_at_random_moments() {
    for step in [Step::Pull, Step::Start, Step::Probe, Step::Prune] {
        moments::run(step, [1, 2, 30]);
    }
}
