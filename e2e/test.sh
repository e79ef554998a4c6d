#!/usr/bin/env bash
# Everything that is checked, in stages whose times are printed at the end. Run by `make test`.
set -uo pipefail
cd "$(dirname "$0")/.."
. e2e/stages.sh

export VOXPLANE_LAB_NAME=${VOXPLANE_LAB_NAME:-test}

# One configuration for every cargo command: with other packages, features or targets, cargo would compile the
# dependencies once more.
all=(--workspace --all-features)
programs=${CARGO_TARGET_DIR:-target}/debug
compiled=$(mktemp)

lab() { "$programs/lab" "$@"; }

finish() {
    trap - EXIT INT TERM
    abandon
    stage "lab down" lab down
    report
    rm -f "$compiled"
    # In a trap, `exit` alone would return the status from before the trap.
    exit $((failed > 0))
}
trap finish EXIT
trap 'failed=$((failed + 1)); exit 130' INT TERM

# unhurried COMMAND…: takes only the time that nobody else wants. Within a session the scheduler is told so by chrt; but
# Linux shares evenly between sessions (autogroups), the lab's parts are of other ones, and audio that comes late is
# garbled. So it gets a session of its own, with the least weight, which ends with this shell.
unhurried() {
    # Without job control it is this shell's own child, and so told when this shell ends.
    set +m
    setsid setpriv --pdeathsig TERM \
        bash -c '{ echo 19 >/proc/self/autogroup; chrt --idle --pid 0 $$; } 2>/dev/null; exec "$@"' - "$@"
}

clippy() { unhurried cargo clippy "${all[@]}" --all-targets -- --deny warnings; }

compile() { cargo build "${all[@]}" --all-targets --message-format json-render-diagnostics >"$compiled"; }

# Tests find the parts they run through these variables.
environment() {
    eval "$(lab tools --env)" && eval "$(lab env)" || return
    export VOXPLANE_TEST_LIVEKIT_URL=$VOXPLANE_LAB_LIVEKIT_URL VOXPLANE_TEST_LIVEKIT_KEY=$VOXPLANE_LAB_LIVEKIT_API_KEY
    export VOXPLANE_TEST_LIVEKIT_SECRET=$VOXPLANE_LAB_LIVEKIT_API_SECRET
}

# run KIND NAMES [ARGUMENT…]: the compiled test programs, one after another, each in its package's folder; programs.py
# says what KIND and NAMES are. Without cargo, which would wait for clippy.
run() {
    local kind=$1 names=$2 result=0 folder name program
    shift 2
    while IFS=$'\t' read -r folder name program; do
        printf '\n-- %s\n' "$name"
        (cd "$folder" && "$program" "$@") || result=1
    done < <(e2e/programs.py "$kind" "$names" <"$compiled")
    return $result
}

unit() {
    environment || return
    local result=0
    run units "-" || result=1
    run tests "-call,livekit,teardown,purchase,deletion" || result=1
    return $result
}

# The longest of them, hundreds of crashes: they take the time that others leave.
crashes() { chrt --idle --pid 0 $BASHPID 2>/dev/null; environment && run tests purchase; }

# Operators against the lab's own control plane and LiveKit. The lab's operator, which comes later, would work on their
# objects, too, and the namespaces they leave behind would take the time of real audio.
deletions() { environment && run tests deletion; }

# Real audio, one call at a time: it would miss its ticks beside others.
media() { environment && run tests "livekit,call" --test-threads=1; }

# The lab about itself. A user without root has asked sudo for the lab by now, but not for a whole test run.
root_tests() { [ "$(id -u)" -ne 0 ] || run tests "teardown"; }

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

# promises NAMES THREADS: end-to-end tests. Errors say what was tried at every step; a backtrace of the test runner would
# bury them.
promises() {
    local document result=0
    document=$(mktemp) && environment && lab env --json >"$document" || return
    VOXPLANE_LAB_ENV=$document RUST_BACKTRACE=0 run promises "$1" --test-threads="$2" --nocapture || result=1
    rm -f "$document"
    [ $result -eq 0 ] || explain_failure
    return $result
}

# End-to-end tests beside each other: those that only wait, for the cluster's controllers and LiveKit's answers, each for
# an agency of its own, three at a time, then those that kill the operator, which no call notices; and beside them, one
# after another, those that call. What breaks anything else is alone with it.
apart() {
    local result=0
    promises resources 3 || result=1
    promises fail_overs 1 || result=1
    return $result
}

stage "packages" e2e/lab/deps.sh || exit
stage "format" cargo fmt --all --check
stage "programs and tests" compile || exit
stage "tools of the lab" lab tools || exit
beside "clippy" clippy
if stage "lab: parts" lab up --only cluster,postgres,livekit; then
    stage "generated files" generated
    beside "crash tests" crashes
    beside "crash tests of deletions" deletions
    stage "unit and component tests" unit
    gather "crash tests of deletions"
    stage "media and whole calls" media
    stage "lab about itself" root_tests
else
    skip "unit and component tests" "the lab's parts did not start"
fi
if stage "lab: everything" lab up --no-build; then
    gather "crash tests"
    beside "end-to-end: resources" apart
    stage "end-to-end: calls" promises calls,views 1
    gather "end-to-end: resources"
    stage "end-to-end: breakages" promises breakages 1
else
    skip "end-to-end tests" "the lab did not start"
fi
gather
