# Runs a command that reads what follows: it sees its end when the connection ends.
needs setsid timeout sleep
exec 3<&0
up
began=$up
setsid timeout -k 2 "$seconds" /bin/sh -c 'IFS= read -r s; eval "$(printf %b "$s")"' <&3 3<&- &
kept=$!
exec 3<&-
end_of $kept
finish ended $code $time
