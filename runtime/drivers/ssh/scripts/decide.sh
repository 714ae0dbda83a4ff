# Decides about something that is armed, unless its timer has: `wish` is that it stays, or that it is put back now.
if [ ! -d "$folder" ]; then
    finish absent
    exit
fi
if mkdir "$folder/decided" 2>/dev/null; then
    if is_alive; then kill -TERM "-$(cut -d ' ' -f 1 "$folder/who")" 2>/dev/null; fi
    if [ "$wish" = stay ]; then
        : >"$folder/stays"
        sync "$folder/stays" "$folder" 2>/dev/null || sync
    else
        cd /
        /bin/sh -e "$folder/revert" >"$folder/output" 2>&1 </dev/null
        echo $? >"$folder/ended"
    fi
    [ ! -e "$folder/timer" ] || /bin/sh "$folder/timer" forget
    # The rest is swept away with others that are old.
    rm -f "$folder/boot" "$folder/revert" "$folder/timer" "$folder/environment"
    sweep
fi
tries=0
while [ ! -e "$folder/stays" ] && [ ! -s "$folder/ended" ] && [ $tries -lt 200 ]; do
    nap
    tries=$((tries + 1))
done
if [ -e "$folder/stays" ]; then
    finish stays
elif [ -s "$folder/ended" ]; then
    tail -c 4096 "$folder/output"
    finish reverted "$(cat "$folder/ended")"
else
    finish reverting
fi
