#!/bin/sh
# The whole pipeline on a VM, with a lock, the fallback and a line of history.
#     deploy.sh [--lines] APP deploy IMAGE [NUMBER]
#     deploy.sh [--lines] APP rollback
#     deploy.sh APP status
#     deploy.sh APP check
# A rollback is given the run options of start-candidate's lines as well, unless its own have any.
# What the steps are given besides comes from /etc/deploy-steps/APP.conf, one line for each argument: STEP ARGUMENT,
# or each ARGUMENT for what all of them are given, such as --swarm or --container=NAME [the app]. `check` runs nothing: it
# shows the command of each step as a shell reads it, with `…` for the values of variables, log options and headers.
# Prints one JSON line of the whole, with --lines each step's own report instead, as soon as it is there; ends with
# the exit code of the step that failed. A second one for the same app waits for the first.
set -eu

usage() {
    sed -n '3,6s/^#     /usage: /p' "$0" >&2
    exit 2
}

refuse() {
    echo "deploy.sh: line $number of $conf: $1" >&2
    exit 2
}

# One argument of a line. No shell reads it, so quotes around a value would become a part of the value.
give() {
    for value in "$1" "${1#*=}" "${1##*=}"; do
        case $value in
        \"*\") inner=${value#\"} inner=${inner%\"} quote=\" ;;
        \'*\') inner=${value#\'} inner=${inner%\'} quote=\' ;;
        *) continue ;;
        esac
        case $inner in *"$quote"*) ;; *) refuse "leave the quotes out, as no shell reads this line" ;; esac
    done
    lines_of_conf=$lines_of_conf$word' '$1$newline
}

# Reads the configuration into lines of WORD ARGUMENT. A line is taken as it is meant, or refused.
read_conf() {
    lines_of_conf='' number=0 newline='
' tab=$(printf '\t') return=$(printf '\r')
    while IFS= read -r line || [ -n "$line" ]; do
        number=$((number + 1))
        IFS=" $tab" read -r word argument <<EOF
${line%"$return"}
EOF
        case $word in
        '' | '#'*) continue ;;
        each | rollback | promote) ;;
        pull[-_]image) word=pull-image ;;
        start[-_]candidate) word=start-candidate ;;
        probe[-_]health) word=probe-health ;;
        prune[-_]app) word=prune-app ;;
        *) refuse "$word is no step: begin with each, rollback or the name of one" ;;
        esac
        case $argument in
        '') refuse "$word is given nothing: write its argument behind it" ;;
        *[" $tab"]'#'*) refuse "a comment needs a line of its own" ;;
        *\\) refuse "a backslash joins no lines: write one argument a line" ;;
        esac
        options=''
        case $newline$lines_of_conf in *"$newline$word --$newline"*) options=1 ;; esac
        # The dashes and what stands behind them may be on one line: -- -e LOG=info.
        while case $argument in --[" $tab"]*) ;; *) false ;; esac; do
            [ -n "$options" ] || give --
            options=1
            IFS=" $tab" read -r argument <<EOF
${argument#--}
EOF
        done
        [ "$word" = each ] || [ -n "$options" ] || case ${argument%%["= $tab"]*} in
        --app | --container) refuse "what names the app or its container is for all steps: begin with each" ;;
        esac
        # A flag and its value may be two arguments: -e LOG=info.
        flag=${argument%%["= $tab"]*}
        case $argument in
        -?*["= $tab"]*) rest=${argument#"$flag"} ;;
        *) rest='' ;;
        esac
        case $rest in
        [" $tab"]*)
            give "$flag"
            IFS=" $tab" read -r argument <<EOF
$rest
EOF
            ;;
        esac
        give "$argument"
    done <"$conf"
}

# Runs a step for the app with the last report and with the lines of the configuration that begin with each or with $1.
step() {
    whose=$1 name=$2
    shift 2
    # First what each is given, wherever it stands: behind a step's own `--` it would be an option of the app.
    for line in each "$whose"; do
        while IFS=' ' read -r word argument; do
            [ "$word" != "$line" ] || set -- "$@" "$argument"
        done <<EOF
$lines_of_conf
EOF
    done
    [ "$whose" != rollback ] || case " $* " in
    *' -- '*) ;;
    *)
        options=''
        while IFS=' ' read -r word argument; do
            [ "$word" = start-candidate ] || continue
            [ "$argument" != -- ] || options=1
            [ -z "$options" ] || set -- "$@" "$argument"
        done <<EOF
$lines_of_conf
EOF
        ;;
    esac
    # Both are named whatever the environment or a report says: the container by a line of the configuration, or as the app.
    case " $* " in *' --container'[\ =]*) ;; *) set -- --container "$app" "$@" ;; esac
    set -- "$name" --app "$app" "$@"
    [ "$task" != check ] || { shown "$@" && return; }
    code=0
    # The step answers a signal by itself, and what it says then is wanted. The lock is this shell's alone.
    report=$(trap : INT TERM && printf '%s\n' "$report" | "$@" 9<&-) || code=$?
    # Where nobody reads the reports any more that is a failure, and what is not live yet is undone.
    [ -z "$lines" ] || [ -z "$report" ] || printf '%s\n' "$report" || [ $code -ne 0 ] || code=1
    case $name in
    promote | prune-app) ;;
    *) [ -z "$stopped" ] || [ $code -ne 0 ] || code=7 ;;
    esac
    return $code
}

# A command as a shell would read it. Of a variable, a log option and a header the name is shown, and no value.
shown() {
    printf '%s' "$1"
    shift
    next=''
    for word; do
        # What parts a name from its value, if this word has both.
        between=$next next='' value=$word letters=$word
        # -it in -ite A=b
        while case $letters in -[ditqP]?*) ;; *) false ;; esac; do letters=-${letters#-?}; done
        case $between$letters in
        [=:]*) ;;
        -e | --env | --log-opt) next='=' ;;
        --header) next=: ;;
        -e=* | --env=* | --log-opt=*) between='=' value=${word#*=} ;;
        --header=*) between=: value=${word#*=} ;;
        -e*) between='=' value=${letters#-e} ;;
        esac
        case $between$value in
        =*=*) word=${word%"$value"}${value%%=*}=… ;;
        :*:*) word="${word%"$value"}${value%%:*}: …" ;;
        :*) word=${word%"$value"}… ;;
        esac
        case $word in
        *[!A-Za-z0-9_./:=@%+,-]* | '') printf " '%s'" "$(printf '%s' "$word" | sed "s/'/'\\\\''/g")" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    echo
}

# The same as a part of the pipeline, whose report has a place for each.
next() {
    before=$report
    step "$@" || failed=$2
    [ "$2 $code" != 'start-candidate 25' ] || [ -n "$stopped" ] || resume "$@"
    reports=$reports${reports:+,}${report:-null}
    id=$(printf '%s\n' "$report" | sed -n 's/.*"candidate_id":"\([0-9a-z]*\)".*/\1/p')
    candidate=${id:-$candidate}
    [ -z "$failed" ]
}

# Nobody has finished a promotion that was killed: promote resumes it or rolls it back, and the step is run once more.
resume() {
    echo "deploy.sh: a promotion of $app is unfinished: promote is run first" >&2
    unfinished=$report report=''
    step promote promote --unfinished || :
    resumed=${report:-null} report=$unfinished
    [ -z "$stopped" ] || [ $code -ne 0 ] || code=7
    # What was live before a promotion that is undone is what a rollback is for.
    case $task$code in deploy7 | rollback7 | rollback4[123]) return 0 ;; esac
    failed='' report=$before
    step "$@" || failed=$2
}

pipeline() {
    if [ "$task" = deploy ]; then
        next pull-image pull-image "$image" &&
            next start-candidate start-candidate --from - --replace
    else
        next rollback start-candidate --previous --replace
    fi &&
        next probe-health probe-health --from - &&
        next promote promote --from - &&
        next prune-app prune-app --from -
}

# Only the very candidate that was started here: another deployment's stays.
fall_back() {
    was=$code
    # What is live is not undone by a gap that was too long.
    [ $code -ne 48 ] || return 0
    [ -z "$candidate" ] || step prune-app prune-app --candidate --candidate-id "$candidate" || :
    [ -z "$candidate" ] || fallback=${report:-null}
    code=$was
}

# The steps' own folder of locks, by the rules of theirs (step/src/host/lock/folder.rs, step/src/engine/lock.rs).
find_folder() {
    user=$(id -u) owner=0 folder=/run/deploy-steps make='sudo install -d -m 2770 -g docker /run/deploy-steps'
    if [ "$user" -ne 0 ]; then
        # An engine of this user's own: docker by a socket that is his, or podman.
        socket=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null) || socket=${CONTAINER_HOST-}
        if [ -z "$socket" ] || [ "$(stat -L -c %u "${socket#unix://}" 2>/dev/null)" = "$user" ]; then
            owner=$user folder=${XDG_RUNTIME_DIR:-/run/user/$user}/deploy-steps
            make="install -d -m 700 $folder"
        fi
    fi
    if [ "$user" -eq "$owner" ] && ! [ -e "$folder" ] && ! [ -L "$folder" ]; then
        { [ "$user" -eq 0 ] && install -d -m 2770 -g docker "$folder" 2>/dev/null; } || mkdir -m 700 "$folder" || :
    fi
}

# Opens the lock as file 9, where the folder and the file are what they are to be. It is never read or cut short.
open_lock() {
    case $(stat -c '%F %u %a' "$folder" 2>/dev/null) in
    "directory $owner "*[0145]) ;;
    *) return 1 ;;
    esac
    ! [ -L "$file" ] && { [ -f "$file" ] || ! [ -e "$file" ]; } && (umask 007 && : >>"$file") 2>/dev/null || return 1
    exec 9<>"$file"
}

lock() {
    find_folder
    file=$folder/deploy-steps-$app.pipeline
    if ! open_lock; then
        echo "deploy.sh: $file cannot be used as a lock; nothing was done" >&2
        echo "  hint: make its folder by \`$make\`" >&2
        code=1
        return
    fi
    if ! flock -n 9; then
        echo "deploy.sh: waiting for another deployment of $app" >&2
        flock -w 900 9 || code=45
        # Whoever comes next locks the file that has the name by then.
        [ "$(stat -L -c %i /proc/self/fd/9)" = "$(stat -c %i "$file")" ] || code=45
        [ -z "$stopped" ] || code=7
    fi
    [ $code -eq 0 ] || echo "deploy.sh: the other deployment of $app has not ended; nothing was done" >&2
}

# Since the machine started, which no clock that is set can change.
milliseconds() {
    IFS='. ' read -r seconds hundredths _ </proc/uptime
    echo "$seconds${hundredths}0"
}

# The report of the whole, which is the line of history, too.
whole() {
    [ $code -eq 0 ] && ok=true || ok=false
    printf '{"pipeline":"%s","ok":%s,"app":"%s","exit_code":%d' "$task" "$ok" "$app" $code
    printf '%s' "${failed:+,\"failed_step\":\"$failed\"}"
    printf ',"steps":[%s]%s' "$reports" "${resumed:+,\"resumed\":$resumed}"
    printf '%s' "${fallback:+,\"fallback\":$fallback}"
    printf ',"at":"%s","took_ms":%d}\n' "$at" $(($(milliseconds) - began))
}

# The newest thousand deployments, and at most as many again: readers that follow the file seldom see another one.
remember() {
    folder=/var/log/deploy-steps history=/var/log/deploy-steps/$app.jsonl
    (
        umask 027 && mkdir -p $folder && printf '%s\n' "$1" >>"$history" || exit 1
        [ "$(wc -l <"$history")" -le 2000 ] || { tail -n 1000 "$history" >"$history.new" && mv "$history.new" "$history"; }
    ) 2>/dev/null || echo "deploy.sh: $history cannot be written: no line of history" >&2
}

lines='' stopped='' code=0 report='' reports='' candidate='' failed='' resumed='' fallback=''
[ "${1-}" != --lines ] || { lines=1 && shift; }
case ${2-}$# in deploy3 | deploy4 | rollback2 | status2 | check2) ;; *) usage ;; esac
app=$1 task=$2 image=${3-} conf=/etc/deploy-steps/$1.conf
case $app in '' | [!A-Za-z0-9]* | *[!A-Za-z0-9_.-]*) usage ;; esac
case $image in -*) usage ;; esac
[ $# -lt 4 ] || export DEPLOY_STEPS_DEPLOY_ID="$4"
if ! [ -r "$conf" ]; then
    echo "deploy.sh: $conf cannot be read: it says what the steps are given" >&2
    exit 1
fi
read_conf
if [ "$task" = check ]; then
    step pull-image pull-image IMAGE
    step start-candidate start-candidate --from - --replace
    step rollback start-candidate --previous --replace
    for each in probe-health promote prune-app; do step $each $each --from -; done
    exit 0
fi

# A client that has gone must not end this in the middle.
trap '' PIPE HUP
trap 'stopped=1' INT TERM
if [ "$task" = status ]; then
    lines=1
    step probe-health probe-health --live || :
    exit $code
fi
at=$(date -u +%Y-%m-%dT%H:%M:%SZ) began=$(milliseconds)
lock
[ $code -ne 0 ] || pipeline || :
if [ "$failed" = prune-app ] && [ $code -eq 50 ]; then
    echo "deploy.sh: something could not be removed; the release is live" >&2
    code=0 failed=''
fi
[ -z "$failed" ] || fall_back
report=$(whole)
remember "$report"
[ -n "$lines" ] || printf '%s\n' "$report" || [ $code -ne 0 ] || code=1
exit $code
