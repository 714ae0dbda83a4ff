# Starts a command under a keeper that outlives this connection, and follows what it writes.
#
# The keeper takes `claim` before anything else: whoever takes it first decides whether the command is run at all.
keeper='
set -C
true >"$0/claim" || exit
set +C
up() { read -r up _ </proc/uptime && up=${up%.*}; }
seconds=$1
read -r stat <"/proc/$$/stat" && set -- $stat
echo "$$ ${22}" >"$0/who"
up
began=$up
setsid timeout -k 2 "$seconds" /bin/sh -c "IFS= read -r s; eval \"\$(printf %b \"\$s\")\"" \
    <"$0/input" >"$0/stdout" 2>"$0/stderr" &
echo $! >"$0/group"
wait $!
code=$?
up
echo "$code $((up - began))" >"$0/ended"
'
if ! mkdir "$folder"; then
    finish taken
    exit
fi
if [ "$length" = 0 ]; then
    IFS= read -r line && printf "%s\n" "$line" >"$folder/input"
else
    head -c "$length" >"$folder/input"
    [ "$(wc -c <"$folder/input")" -eq "$length" ]
fi
# Cut off before all of the input was here: nothing was started.
if [ $? -ne 0 ]; then
    rm -rf "$folder"
    finish short
    exit
fi
boot
echo "$boot" >"$folder/boot"
: >"$folder/stdout"
: >"$folder/stderr"
exec 4<"$folder/stdout" 5<"$folder/stderr"
cd /
setsid /bin/sh -c "$keeper" "$folder" "$seconds" </dev/null >/dev/null 2>&1 4<&- 5<&- &
kept=$!
(
    trap 'exit 0' TERM
    while :; do
        # Without the channel, which would stay open for as long as this sleeps.
        sleep 0.3 >/dev/null 2>&1 4<&- 5<&- &
        wait $! || sleep 1 >/dev/null 2>&1 4<&- 5<&-
        pour
    done
) &
follower=$!
wait $kept
kill $follower 2>/dev/null
wait $follower 2>/dev/null
pour
report
# What is left to be found out by stays until whoever started it has written down how it ended, and says so.
exec 4<&- 5<&-
IFS= read -r _ || exit
