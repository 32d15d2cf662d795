//! Tests that run elsewhere, too, on a kernel of the machine's own.

use stage::ground::Vm;

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
fn no_kind_of_client_notices_a_promotion_beside_ufw() {
    let vm = Vm::boot().unwrap();
    passes(&vm, &["--ignored", "machine::firewalls::ufw_at_work"]);
}
