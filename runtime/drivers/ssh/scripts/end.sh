# Ends a command and everything it started: two seconds to tidy up, then it is killed. One that is still on its way to be
# started finds its folder taken.
mkdir "$folder" 2>/dev/null
if ! mkdir "$folder/claim" 2>/dev/null && is_alive; then
    tries=0
    while [ ! -s "$folder/group" ] && [ $tries -lt 5 ]; do
        nap
        tries=$((tries + 1))
    done
    group=$(cat "$folder/group")
    kill -TERM "-$group" 2>/dev/null
    tries=0
    while [ ! -s "$folder/ended" ] && [ $tries -lt 7 ]; do
        nap
        tries=$((tries + 1))
    done
    kill -KILL "-$group" 2>/dev/null
fi
sweep
finish done
