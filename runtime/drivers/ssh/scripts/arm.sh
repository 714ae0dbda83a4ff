# Starts a timer that puts something back, unless somebody decides otherwise in time.
#
# Whoever makes `decided` first decides: the timer that it is put back, or the run that it stays.
timer='
printf "%s %s\n" "$$" "$(cut -d " " -f 22 /proc/$$/stat)" >"$0/who.new" && mv "$0/who.new" "$0/who"
sleep "$1"
mkdir "$0/decided" 2>/dev/null || exit 0
/bin/sh -e "$0/revert" >"$0/output" 2>&1
echo $? >"$0/ended.new" && mv "$0/ended.new" "$0/ended"
'
if [ -e "$folder/decided" ] || { [ -d "$folder" ] && ! is_alive; }; then rm -rf "$folder"; fi
if ! mkdir "$folder" 2>/dev/null; then
    if [ -d "$folder" ]; then finish done; else finish failed; fi
    exit
fi
cat >"$folder/revert"
if [ "$(wc -c <"$folder/revert")" -ne "$length" ]; then
    rm -rf "$folder"
    finish failed its script did not arrive as a whole
    exit
fi
boot >"$folder/boot"
cd /
setsid /bin/sh -c "$timer" "$folder" "$seconds" </dev/null >/dev/null 2>&1 &
tries=0
while [ ! -e "$folder/who" ] && [ $tries -lt 30 ]; do
    nap
    tries=$((tries + 1))
done
if is_alive; then finish done; else finish failed the timer does not start; fi
