# Runs a command that must not outlive this connection: when the connection ends, the input does, and so does the command.
needs setsid timeout sleep
exec 3<&0
up
began=$up
printf '%s\n' "$inner" | setsid timeout -k 2 "$seconds" /bin/sh -c 'IFS= read -r s; exec </dev/null; eval "$(printf %b "$s")"' &
kept=$!
(
    while read -r _ <&3; do :; done
    kill -TERM "-$kept"
    sleep 2
    kill -KILL "-$kept"
) >/dev/null 2>&1 &
leash=$!
exec 3<&-
end_of $kept
kill $leash 2>/dev/null
finish ended $code $time
