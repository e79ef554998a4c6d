#!/usr/bin/env bash
# Everything that is checked, in stages whose times are printed at the end. Run by `make test`.
set -uo pipefail
cd "$(dirname "$0")/.."

export VOXPLANE_LAB_NAME=${VOXPLANE_LAB_NAME:-test}
log=$(mktemp)
stages=()
failed=0
started=$SECONDS

# One configuration for every cargo command: with other packages, features or targets, cargo would compile the
# dependencies once more.
all=(--workspace --all-features)
programs=${CARGO_TARGET_DIR:-target}/debug

lab() { "$programs/lab" "$@"; }

# stage NAME COMMAND…: runs it, remembers its time and result.
stage() {
    local name=$1 begin=$SECONDS result=ok
    shift
    printf '\n== %s\n' "$name"
    "$@" 2>&1 | tee --append "$log" || { result=FAILED; failed=$((failed + 1)); }
    stages+=("$(printf '%-34s %5d s  %s' "$name" $((SECONDS - begin)) "$result")")
    [ "$result" = ok ]
}

skip() { stages+=("$(printf '%-34s %5s    %s' "$1" - "skipped: $2")"); }

finish() {
    trap - EXIT INT TERM
    stage "lab down" lab down
    printf '\n%-34s %7s  %s\n' stage time result
    printf '%s\n' "${stages[@]}"
    printf '%-34s %5d s\n' all $((SECONDS - started))
    # cargo prints one such line per test program.
    sed --regexp-extended --quiet 's/^test result: .* ([0-9]+) passed; ([0-9]+) failed;.*/\1 \2/p' "$log" \
        | awk '{ passed += $1; failed += $2 } END { printf "\n%d passed, %d failed\n", passed, failed }'
    rm -f "$log"
    # In a trap, `exit` alone would return the status from before the trap.
    exit $((failed > 0))
}
trap finish EXIT
trap 'failed=$((failed + 1)); exit 130' INT TERM

lint() { cargo fmt --all --check && cargo clippy "${all[@]}" --all-targets -- --deny warnings; }

# Tests find the parts they run through these variables.
environment() {
    eval "$(lab tools --env)" && eval "$(lab env)" || return
    export VOXPLANE_TEST_LIVEKIT_URL=$VOXPLANE_LAB_LIVEKIT_URL VOXPLANE_TEST_LIVEKIT_KEY=$VOXPLANE_LAB_LIVEKIT_API_KEY
    export VOXPLANE_TEST_LIVEKIT_SECRET=$VOXPLANE_LAB_LIVEKIT_API_SECRET
}

# The test programs of all crates as --test arguments, but for those of the crates and programs named.
tests_but() {
    cargo metadata --format-version 1 --no-deps | python3 -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    for target in package["targets"]:
        if "test" in target["kind"] and not {package["name"], target["name"]} & set(sys.argv[1:]):
            print("--test", target["name"])' "$@"
}

unit() {
    environment || return
    local others
    mapfile -t others < <(tests_but voxplane-e2e call livekit teardown)
    # shellcheck disable=SC2068 # each line holds two words
    cargo test "${all[@]}" --no-fail-fast --lib --bins ${others[@]}
}

# Real audio, one call at a time: it would miss its ticks beside others.
media() { environment && cargo test "${all[@]}" --no-fail-fast --test livekit --test call -- --test-threads=1; }

# The lab about itself. A user without root has asked sudo for the lab by now, but not for a whole test run.
root_tests() { [ "$(id -u)" -ne 0 ] || cargo test "${all[@]}" --test teardown; }

generated() { environment && "$programs/voxplane-xtask" generate --check; }

# What a person would look at next, since the lab is gone when the result is read.
explain_failure() {
    local part
    printf '\n-- what the product said meanwhile\n'
    for part in operator api; do
        printf '\n-- %s: warnings and errors\n' "$part"
        lab exec -- kubectl --namespace voxplane-system logs "deployment/voxplane-$part" --all-containers --tail=-1 \
            | grep -E 'WARN|ERROR' | tail -n 40
    done
    printf '\n-- pods that are not running\n'
    lab exec -- kubectl get pods --all-namespaces --field-selector=status.phase!=Running --no-headers
    printf '\n-- warnings of the cluster\n'
    lab exec -- kubectl get events --all-namespaces --field-selector=type=Warning --sort-by=.lastTimestamp \
        --no-headers | tail -n 25
}

end_to_end() {
    local document promises
    document=$(mktemp) && environment && lab env --json >"$document" || return
    promises=$(cd e2e/tests && printf -- '--test %s ' *.rs) && promises=${promises//.rs/}
    # Errors say what was tried at every step; a backtrace of the test runner would bury them.
    # shellcheck disable=SC2086 # several words on purpose
    VOXPLANE_LAB_ENV=$document RUST_BACKTRACE=0 \
        cargo test "${all[@]}" --no-fail-fast $promises -- --test-threads=1 --nocapture
    local result=$?
    rm -f "$document"
    [ $result -eq 0 ] || explain_failure
    return $result
}

stage "packages" e2e/lab/deps.sh || exit
stage "lint" lint
stage "programs and tests" cargo build "${all[@]}" --all-targets || exit
stage "tools of the lab" lab tools || exit
if stage "lab: parts" lab up --only cluster,postgres,livekit; then
    stage "generated files" generated
    stage "unit and component tests" unit
    stage "media and whole calls" media
    stage "lab about itself" root_tests
else
    skip "unit and component tests" "the lab's parts did not start"
fi
if stage "lab: everything" lab up --no-build; then
    stage "end-to-end tests" end_to_end
else
    skip "end-to-end tests" "the lab did not start"
fi
