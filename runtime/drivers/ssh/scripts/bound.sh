# Waits for a group that `timeout` bounds, where `began` is when it began. That of busybox ends its program and nothing else,
# and none of them waits for what the program started.
needs() {
    for needed; do command -v "$needed" >/dev/null || { finish lacking "$needed"; exit; }; done
}
up() { read -r up _ </proc/uptime && up=${up%.*}; }
end_of() {
    wait "$1"
    code=$?
    up
    time=$((up - began))
    case $code in 124 | 137 | 143)
        if [ "$time" -ge "$seconds" ] && kill -TERM "-$1"; then
            sleep 2
            kill -KILL "-$1"
        fi
        ;;
    esac
} 2>/dev/null
