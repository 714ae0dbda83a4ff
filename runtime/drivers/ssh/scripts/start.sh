# Starts a command under a keeper that outlives this connection, and follows what it writes.
#
# The keeper takes `claim` before anything else: whoever takes it first decides whether the command is run at all.
keeper='
mkdir "$0/claim" || exit
printf "%s %s\n" "$$" "$(cut -d " " -f 22 /proc/$$/stat)" >"$0/who.new" && mv "$0/who.new" "$0/who"
began=$(date +%s)
setsid timeout -k 2 "$1" /bin/sh -c "IFS= read -r s; eval \"\$(printf %b \"\$s\")\"" \
    <"$0/input" >"$0/stdout" 2>"$0/stderr" &
echo $! >"$0/group"
wait $!
echo "$? $(($(date +%s) - began))" >"$0/ended.new" && mv "$0/ended.new" "$0/ended"
'
if ! mkdir "$folder"; then
    finish taken
    exit
fi
head -c "$length" >"$folder/input"
# Cut off before all of the input was here: nothing was started.
if [ "$(wc -c <"$folder/input")" -ne "$length" ]; then
    rm -rf "$folder"
    finish short
    exit
fi
boot >"$folder/boot"
: >"$folder/stdout"
: >"$folder/stderr"
exec 4<"$folder/stdout" 5<"$folder/stderr"
cd /
setsid /bin/sh -c "$keeper" "$folder" "$seconds" </dev/null >/dev/null 2>&1 4<&- 5<&- &
kept=$!
(
    trap 'exit 0' TERM
    while :; do
        nap >/dev/null 2>&1 4<&- 5<&- &
        wait $!
        pour
    done
) &
follower=$!
wait $kept
kill $follower 2>/dev/null
wait $follower 2>/dev/null
pour
report
