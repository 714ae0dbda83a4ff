# Finds out what became of a command, and follows it while it still runs.
if [ ! -d "$folder" ]; then
    finish absent "$(cut -d . -f 1 /proc/uptime)"
    exit
fi
# Where its keeper had not begun, it never will.
if mkdir "$folder/claim" 2>/dev/null; then
    rm -rf "$folder"
    finish never
    exit
fi
tries=0
while [ ! -s "$folder/who" ] && [ $tries -lt 10 ]; do
    nap
    tries=$((tries + 1))
done
exec 4<"$folder/stdout" 5<"$folder/stderr"
tail -c "+$((skip_stdout + 1))" <&4
tail -c "+$((skip_stderr + 1))" <&5 >&2
while [ ! -s "$folder/ended" ] && is_alive; do
    nap
    pour
done
pour
report
