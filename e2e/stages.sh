# Stages of a long run, one after another or beside each other, with their times and results. Sourced by test.sh.

log=$(mktemp)
stages=()
failed=0
started=$SECONDS
# Stages that run in the background: process, name and output of each.
beside_pids=() beside_names=() beside_logs=()

record() { stages+=("$(printf '%-42s %5d s  %s' "$1" "$2" "$3")"); }

skip() { stages+=("$(printf '%-42s %5s    %s' "$1" - "skipped: $2")"); }

# stage NAME COMMAND…: runs it, remembers its time and result.
stage() {
    local name=$1 begin=$SECONDS result=ok
    shift
    printf '\n== %s\n' "$name"
    "$@" 2>&1 | tee --append "$log" || { result=FAILED; failed=$((failed + 1)); }
    record "$name" $((SECONDS - begin)) "$result"
    [ "$result" = ok ]
}

# beside NAME COMMAND…: starts it and goes on; `gather` waits for it. What it prints is shown then, in one piece.
beside() {
    local name=$1 own
    shift
    own=$(mktemp)
    printf '\n== %s: started, goes on beside the next stages\n' "$name"
    # A process group of its own, so that an interrupted run can end all of it; the last line is how long it took.
    set -m
    { begin=$SECONDS; "$@"; result=$?; printf '%d\n' $((SECONDS - begin)) >"$own.seconds"; exit $result; } >"$own" 2>&1 &
    set +m
    beside_pids+=($!) beside_names+=("$name") beside_logs+=("$own")
}

# gather [NAME]: waits for what was started with `beside`, all of it without a name.
gather() {
    local i name own result
    for i in "${!beside_pids[@]}"; do
        name=${beside_names[i]} own=${beside_logs[i]} result=ok
        [ -z "${1:-}" ] || [ "$1" = "$name" ] || continue
        wait "${beside_pids[i]}" || { result=FAILED; failed=$((failed + 1)); }
        printf '\n== %s\n' "$name"
        tee --append "$log" <"$own"
        record "$name (beside others)" "$(cat "$own.seconds" 2>/dev/null || echo 0)" "$result"
        rm -f "$own" "$own.seconds"
        unset 'beside_pids[i]' 'beside_names[i]' 'beside_logs[i]'
    done
}

# Ends what still runs in the background.
abandon() {
    local i
    for i in "${!beside_pids[@]}"; do
        kill -- "-${beside_pids[i]}" 2>/dev/null
        rm -f "${beside_logs[i]}" "${beside_logs[i]}.seconds"
    done
    beside_pids=()
}

report() {
    printf '\n%-42s %7s  %s\n' stage time result
    printf '%s\n' "${stages[@]}"
    printf '%-42s %5d s\n' all $((SECONDS - started))
    # Every test program prints one such line.
    sed --regexp-extended --quiet 's/^test result: .* ([0-9]+) passed; ([0-9]+) failed;.*/\1 \2/p' "$log" \
        | awk '{ passed += $1; failed += $2 } END { printf "\n%d passed, %d failed\n", passed, failed }'
    rm -f "$log"
}
