# Where commands are kept, and how to tell whether the keeper of one lives. What the shell can do itself it does: on a busy
# host every program that is started takes its time.
while read -r name uid _; do [ "$name" != Uid: ] || break; done <"/proc/$$/status"
base=/var/tmp/runbook-$uid

boot() { read -r boot </proc/sys/kernel/random/boot_id; }
born() {
    born=
    read -r stat <"/proc/$1/stat" && set -- $stat && born=${22}
}
is_alive() {
    boot && read -r before <"$folder/boot" && [ "$boot" = "$before" ] &&
        read -r pid since <"$folder/who" && born "$pid" && [ "$born" = "$since" ]
} 2>/dev/null
nap() { sleep 0.3 || sleep 1; } 2>/dev/null
pour() {
    [ ! -s "$folder/stdout" ] || cat <&4
    [ ! -s "$folder/stderr" ] || cat <&5 >&2
}
report() {
    if [ -s "$folder/ended" ] && read -r code time <"$folder/ended"; then finish ended "$code" "$time"; else finish lost; fi
}
# The folder of a command that was stopped before it began stays for a week: it might still be on its way. So does that of a
# decision, for whoever asks for it again.
sweep() { find "$base" -mindepth 1 -maxdepth 1 -mtime +7 -exec sh -c '[ -e "$0/boot" ] || rm -r "$0"' {} \; ; } 2>/dev/null
