# What a session of commands that follow each other knows: which of their folders are to be removed. That is one program for
# many of them.
boot
over= many=0 has_all=
tidy() {
    [ -z "$over" ] || rm -rf $over
    over= many=0
}
trap tidy EXIT
# The keeper: a copy of this shell, which outlives it. It takes `claim` before anything else: whoever takes it first decides
# whether the command is run at all.
guard() {
    trap '' HUP TERM
    set -C
    true >"$folder/claim" || exit
    set +C
    read -r stat </proc/self/stat && set -- $stat
    echo "$1 ${22}" >"$folder/who"
    up
    began=$up
    {
        trap - HUP TERM
        set -- setsid timeout -k 2 "$seconds"
        eval "$launch"
    } <"$input" >"$folder/stdout" 2>"$folder/stderr" &
    echo $! >"$folder/group"
    end_of $!
    echo "$code $time" >"$folder/ended"
}
