#!/bin/sh
# The deploy action: asks a VM over ssh for a deployment and tells the runner what came of it.
# action.yml says what the variables are. What the VM says is foreign: it is shown behind a prefix, and
# all that the runner takes for a command is made here, from the reports, by reports.jq.
set -eu
umask 077
key=$SSH_KEY
# Out of the environment of everything that is started from here.
unset SSH_KEY
here=$(dirname -- "$0")

refuse() {
    echo "::error title=deploy::$1"
    echo "exit-code=2" >>"$GITHUB_OUTPUT"
    exit 2
}

# Whether the value of the input $1 is, as a whole, what the pattern $3 says; it is not shown.
check() {
    case $2 in
    *[!A-Za-z0-9.:_-]*) ;;
    *) ! printf '%s\n' "$2" | grep -Eqx -- "$3" || return 0 ;;
    esac
    refuse "the input $1 is missing or malformed: see the action's README"
}

check host "$SSH_HOST" '[A-Za-z0-9:][A-Za-z0-9.:_-]*'
check port "$SSH_PORT" '[0-9]{1,5}'
check user "$SSH_USER" '[A-Za-z0-9_][A-Za-z0-9._-]*'
[ -n "$SSH_KNOWN_HOSTS" ] || refuse "the input known-hosts is missing: without it the VM could be anybody"
[ -n "$key" ] || refuse "the input ssh-key is missing: is the secret set, and handed to this job?"
case $REQUEST in
deploy)
    check digest "$DIGEST" 'sha256:[0-9a-f]{64}'
    check deploy-id "$DEPLOY_ID" '[0-9]{0,18}'
    set -- "deploy $DIGEST${DEPLOY_ID:+ $DEPLOY_ID}"
    ;;
rollback | status) set -- "$REQUEST" ;;
*) refuse "the input request is deploy, rollback or status" ;;
esac
for program in jq ssh; do
    command -v "$program" >/dev/null || refuse "this runner has no $program"
done

# Line by line, so that progress is seen as it is made. Neither form of a runner's command survives:
# `::` begins a line, `##[` stands anywhere in it, and to the runner a carriage return ends a line too.
foreign() {
    LC_ALL=C sed -u 's/\r$//; s/[^ -~]/?/g; s/##\[/## [/g; s/^/vm | /'
}

tell() {
    jq -rs --arg show "$1" --arg request "$REQUEST" --arg digest "$DIGEST" --arg code "$code" \
        --rawfile progress "$work/progress" -f "$here/reports.jq" "$reports"
}

ssh='' work=$(mktemp -d "$RUNNER_TEMP/deploy.XXXXXX")
trap 'rm -rf "$work"; [ -z "$ssh" ] || kill "$ssh"' EXIT
# A cancelled job: the VM notices that its client has gone.
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Secrets that were pasted often have a carriage return at each line's end, which no key bears.
printf '%s\n' "$key" | tr -d '\r' >"$work/key"
printf '%s\n' "$SSH_KNOWN_HOSTS" | tr -d '\r' >"$work/known_hosts"
reports=$(mktemp "$RUNNER_TEMP/reports.XXXXXX.jsonl")
mkfifo "$work/said"
foreign <"$work/said" | tee "$work/progress" &
reader=$!
# In the background, as a signal would wait for the end of what is in the foreground.
(
    cd "$work"
    exec ssh -F /dev/null -T -i key -p "$SSH_PORT" -l "$SSH_USER" \
        -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes \
        -o StrictHostKeyChecking=yes -o UserKnownHostsFile=known_hosts -o GlobalKnownHostsFile=/dev/null \
        -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=8 -- "$SSH_HOST" "$1"
) </dev/null >"$work/answer" 2>"$work/said" &
ssh=$! code=0
wait "$ssh" || code=$?
ssh=''
wait "$reader" || :

# Only what is a report goes on from here; whatever happens to it, the exit code stays.
jq -Rc 'fromjson? | objects' "$work/answer" >"$reports" || :
echo "::group::reports"
foreign <"$work/answer"
echo "::endgroup::"
if [ $code -eq 0 ] && [ "$(tell proven)" != true ]; then
    code=1
    echo "::error title=$REQUEST::the VM ended with 0, but no report says that it did what was asked"
fi
{ tell annotations && tell summary >>"$GITHUB_STEP_SUMMARY"; } ||
    echo "::warning title=deploy::the reports could not be told of: see the log"
printf 'exit-code=%s\nreports=%s\n' "$code" "$reports" >>"$GITHUB_OUTPUT"
exit "$code"
