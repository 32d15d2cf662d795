//! Tests that run elsewhere, too, on a kernel that has what their firewalls and swarms ask for.

use tests::stage::Vm;

use crate::bridge::say;

fn passes(vm: &Vm, words: &[&str]) {
    let run = vm.test(words).unwrap();
    let passed = run.code == 0 && run.stdout.contains("1 passed");
    let skipped = run.stderr.contains("SKIPPED");
    assert!(passed && !skipped, "{}\n{}", run.stdout, run.stderr);
    say(&run.stderr);
}

#[test]
#[ignore = "boots a machine in qemu: cargo xtask test --vm debian@13"]
fn no_kind_of_client_notices_a_promotion_with_ufw_or_without() {
    let vm = Vm::boot().unwrap();
    passes(&vm, &["--ignored", "machine::started::service"]);
    passes(&vm, &["--ignored", "machine::firewalls::ufw"]);
}

#[test]
#[ignore = "boots a machine in qemu: cargo xtask test --vm debian@13"]
fn a_port_of_every_node_of_a_swarm_answers_through_a_release() {
    let vm = Vm::boot().unwrap();
    vm.ok("modprobe ip_vs").unwrap();
    let test = "swarm::ports::a_port_of_every_node_answers_through_a_release_where_the_kernel_can_lead_it_and_is_refused_elsewhere";
    passes(&vm, &[test]);
}
