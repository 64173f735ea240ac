//! A validation that fails, panics or blocks, before the boot and after it: everybody is asked.

use crate::place::Place;

crate::tests! {
    a_failed_preflight_boots_nobody in MULTI CURRENT MULTI_ON MULTI_START MULTI_BLOCKED CURRENT_BLOCKED;
    a_failed_validation_rolls_the_boot_back
        in MULTI CURRENT MULTI_ON MULTI_START MULTI_BLOCKED CURRENT_BLOCKED;
    a_panic_in_validate_exits_with_1 in MULTI CURRENT MULTI_BLOCKED CURRENT_BLOCKED;
    a_validate_that_blocks_is_left_behind_at_its_deadline
        in MULTI CURRENT CURRENT_ON MULTI_BLOCKED CURRENT_BLOCKED;
}

const CODES: [(&str, i32); 6] =
    [("validate", 78), ("other", 78), ("boot", 75), ("run", 1), ("reload", 1), ("recoverable", 1)];

fn a_failed_preflight_boots_nobody(place: Place) {
    for (variant, code) in CODES {
        let bad = format!("db validate-when=before validate={variant}");
        place
            .run("", &[&bad, "kv validate-when=before validate=other", "web run=wait"])
            .exits(code)
            .says(&[
                "error[MS0205]: provider 'db' failed during validate: boom",
                "'kv' failed during validate",
            ])
            .without(&["boot", "shutdown", "start web"]);
    }
}

fn a_failed_validation_rolls_the_boot_back(place: Place) {
    for (variant, code) in CODES {
        let bad = format!("db validate={variant}");
        place
            .run("", &[&bad, "kv requires=db validate=other", "web requires=kv run=wait"])
            .exits(code)
            .says(&[
                "'db' failed during validate: boom",
                "'kv' failed during validate",
                "rolled back web, kv, db",
            ])
            .prints(&["boot db", "boot kv", "validate db", "validate kv", "shutdown kv", "shutdown db"])
            .without(&["start web"]);
    }
}

fn a_panic_in_validate_exits_with_1(place: Place) {
    for when in ["before", "after"] {
        let bad = format!("db validate-when={when} validate=panic");
        let ended = place.run("", &[&bad, "kv validate-when=before"]).exits(1);
        let ended = ended.says(&["error[MS0206]: provider 'db' panicked during validate: boom"]);
        ended.prints(&["validate kv"]);
    }
}

fn a_validate_that_blocks_is_left_behind_at_its_deadline(place: Place) {
    for when in ["before", "after"] {
        let bad = format!("db validate-when={when} validate=block validate-ms=100");
        let other = format!("kv requires=db validate-when={when} validate=other");
        place
            .run("", &[&bad, &other])
            .exits(1)
            .says(&[
                "error[MS0207]: provider 'db' did not end its validate within 100 ms",
                "blocks a thread since",
            ])
            .says(&["'kv' failed during validate: boom"]);
    }
}
