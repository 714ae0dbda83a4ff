# Starts a timer that puts something back, unless somebody decides otherwise in time.
#
# Whoever makes `decided` first decides: the timer that it is put back, or the run that it stays. A host that is started anew
# starts the timer again, and with it what a shutdown cut off while it was being put back.
timer='
folder=${0%/*}
unit=/etc/systemd/system/runbook-armed-${folder##*/}.service
wanted=/etc/systemd/system/multi-user.target.wants/${unit##*/}
has_cron() {
    program=$(command -v crontab) || return
    case $(readlink -f "$program") in *busybox*) return 1 ;; esac
    for comm in /proc/[0-9]*/comm; do
        if read -r name <"$comm"; then
            case $name in cron | crond) return ;; esac
        fi
    done 2>/dev/null
    return 1
}
# The table of cron without the line of this timer. One that cannot be read is left alone.
rows() {
    if rows=$(crontab -l 2>&1); then
        rows=$(printf "%s\n" "$rows" | grep -vF "$0 again") || true
    else
        case $rows in *"no crontab for"*) rows= ;; *) return 1 ;; esac
    fi
}
remember() {
    if [ -d /run/systemd/system ] && [ -w /etc/systemd/system ]; then
        mkdir -p "${wanted%/*}"
        printf "%s\n" "[Unit]" "Description=Puts back what was armed unless told in time that it stays" \
            "[Service]" "ExecStart=/bin/sh $0 again" "[Install]" "WantedBy=multi-user.target" >"$unit" &&
            ln -sf "$unit" "$wanted" && sync "$unit" "${unit%/*}" "${wanted%/*}"
    elif has_cron; then
        (
            flock 9
            rows && printf "%s\n" ${rows:+"$rows"} "@reboot /bin/sh $0 again >/dev/null 2>&1" | crontab - && sync
        ) 9>"${folder%/*}/cron"
    else
        return 1
    fi
}
forget() {
    [ ! -e "$unit" ] || rm -f "$wanted" "$unit"
    case $(crontab -l) in
    *"$0 again"*)
        (
            flock 9
            rows || exit
            if [ "$rows" ]; then printf "%s\n" "$rows" | crontab -; else crontab -r; fi
        ) 9>"${folder%/*}/cron"
        ;;
    esac
} 2>/dev/null
mode=$1
case $mode in remember | forget)
    $mode
    exit
    ;;
esac
read -r stat <"/proc/$$/stat" && set -- $stat
# A group of its own, by which whoever decides ends it.
[ "$5" = "$$" ] || exec setsid /bin/sh "$0" "$mode"
# What starts it after a restart knows less than whoever logged in.
. "$folder/environment"
read -r boot </proc/sys/kernel/random/boot_id
read -r until seconds <"$folder/until"
left=$seconds
if [ "$mode" = again ]; then
    if [ -e "$folder/stays" ] || [ -s "$folder/ended" ]; then
        forget
        exit
    fi
    left=$((until - $(date +%s)))
    # Where the clock is not set yet, all of the time is given again; and what the script needs may only be starting now.
    [ "$left" -le "$seconds" ] || left=$seconds
    [ "$left" -ge 10 ] || left=$((seconds < 10 ? seconds : 10))
    [ ! -e "$folder/decided" ] || cut_off=yes
fi
echo "$boot" >"$folder/boot"
printf "%s %s\n" "$$" "${22}" >"$folder/who.new" && mv "$folder/who.new" "$folder/who"
sleep "$left"
mkdir "$folder/decided" 2>/dev/null || [ "$cut_off" ] || exit 0
cd /
/bin/sh -e "$folder/revert" >"$folder/output" 2>&1
echo $? >"$folder/ended.new" && mv "$folder/ended.new" "$folder/ended"
forget
rm -f "$folder/boot" "$folder/revert" "$folder/environment"
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
printf '%s\n' "$timer" >"$folder/timer"
export -p >"$folder/environment"
echo "$(($(date +%s) + seconds)) $seconds" >"$folder/until"
boot
echo "$boot" >"$folder/boot"
sync "$folder"/* "$folder" "$base" 2>/dev/null || sync
remembers=yes
/bin/sh "$folder/timer" remember >/dev/null 2>&1 || remembers=no
cd /
setsid /bin/sh "$folder/timer" first </dev/null >/dev/null 2>&1 &
tries=0
while [ ! -s "$folder/who" ] && [ $tries -lt 30 ]; do
    nap
    tries=$((tries + 1))
done
if ! is_alive; then
    finish failed the timer does not start
elif [ $remembers = yes ]; then
    finish done
else
    finish forgets
fi
