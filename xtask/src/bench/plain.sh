# What teams start from: pull, try the image beside the live container, then stop, remove and run.
# The image label app=NAME is what the last line goes by. One line on stdout says what begins when.
# Called with: NAME IMAGE PORT PROBE_PORT
set -eu
name=$1 image=$2 port=$3 probe=$4
mark() { echo "$(date +%s%N) $*"; }

mark pull
docker pull --quiet "$image" >&2

mark run candidate
docker run -d --name "$name-new" -p "127.0.0.1:$probe:8080" "$image" >&2

mark curl
tries=0
until curl --silent --fail --output /dev/null --max-time 5 "http://127.0.0.1:$probe/health"; do
    tries=$((tries + 1))
    if [ "$tries" -ge 200 ]; then
        docker rm -f "$name-new" >&2
        exit 1
    fi
    sleep 0.1
done

mark stop live
docker stop "$name" >&2
docker rm "$name" >&2

mark stop candidate
docker stop "$name-new" >&2
docker rm "$name-new" >&2

mark run live
docker run -d --name "$name" --restart always -p "$port:8080" "$image" >&2

mark prune
docker image prune -a -f --filter "label=app=$name" >&2
mark end
