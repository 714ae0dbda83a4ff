# What every script about a kept command begins with: its folder. It keeps everybody else out of what is in it; commands make
# their files as whoever logs in does.
[ -d "$base" ] || mkdir -m 700 "$base" 2>/dev/null
if [ ! -d "$base" ] || [ -L "$base" ] || [ ! -O "$base" ]; then
    finish refused "$base"
    exit
fi
folder=$base/$key
