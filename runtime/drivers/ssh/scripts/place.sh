# What every script about a kept command begins with: its folder, and how to tell whether its keeper lives.
umask 077
base=/var/tmp/runbook-$(id -u)
mkdir "$base" 2>/dev/null
if [ ! -d "$base" ] || [ -L "$base" ] || [ ! -O "$base" ]; then
    finish refused "$base"
    exit
fi
folder=$base/$key

boot() { cat /proc/sys/kernel/random/boot_id; }
born() { cut -d ' ' -f 22 "/proc/$1/stat"; }
is_alive() {
    [ "$(boot)" = "$(cat "$folder/boot")" ] && read -r pid since <"$folder/who" && [ "$(born "$pid")" = "$since" ]
} 2>/dev/null
nap() { sleep 0.3 || sleep 1; } 2>/dev/null
pour() {
    cat <&4
    cat <&5 >&2
}
report() {
    if [ -e "$folder/ended" ]; then finish ended $(cat "$folder/ended"); else finish lost; fi
}
