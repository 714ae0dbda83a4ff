# Starts a command under a keeper that outlives this connection, and follows what it writes.
[ "$has_all" ] || needs cat head mkdir rm setsid sleep timeout wc
has_all=yes
if ! mkdir "$folder"; then
    finish taken
    exit
fi
input=/dev/null
[ "$size" = 0 ] || input=$folder/input
{ [ -z "$script" ] || printf '%s\n' "$script" >"$input"; } && {
    [ "$length" = 0 ] || { head -c "$length" >>"$input" && [ "$(wc -c <"$input")" -eq "$size" ]; }
}
# Cut off before all of the input was here: nothing was started.
if [ $? -ne 0 ]; then
    rm -rf "$folder"
    finish short
    exit
fi
echo "$boot" >"$folder/boot"
: >"$folder/stdout"
: >"$folder/stderr"
exec 3<&0 4<"$folder/stdout" 5<"$folder/stderr"
cd /
guard </dev/null >/dev/null 2>&1 3<&- 4<&- 5<&- &
kept=$!
# Whoever waits says so when it takes long, or is gone: then there is time for a program.
(
    IFS= read -r follow <&3
    trap 'exit 0' TERM
    exec 3<&-
    tidy
    [ "$follow" ] || exit
    while :; do
        pour
        # Without the channel, which would stay open for as long as this sleeps.
        sleep 0.3 >/dev/null 2>&1 4<&- 5<&- &
        wait $! || sleep 1 >/dev/null 2>&1 4<&- 5<&-
    done
) &
follower=$!
wait $kept
kill $follower 2>/dev/null
wait $follower 2>/dev/null
pour
report
# What is left to be found out by stays until whoever started it has written down how it ended, and says so.
exec 3<&- 4<&- 5<&-
go=
while [ "$go" != go ] && IFS= read -r go; do :; done
[ "$go" = go ] || exit
over="$over $folder" many=$((many + 1))
[ $many -lt 16 ] || tidy
