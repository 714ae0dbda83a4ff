#!/usr/bin/env bash
# Builds an oracle out of the source package of Debian's cron: build.sh FOLDER
#
# The package is fetched with apt into FOLDER, nothing of it is kept in this repository and nothing of the machine's own
# apt is changed. FOLDER/oracle is there when this ends well.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
cd "$1"
[ ! -x oracle ] || exit 0

echo 'deb-src http://deb.debian.org/debian bookworm main' >sources.list
apt=(apt-get -q -o Dir::Etc::sourcelist="$PWD/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::lists="$PWD/lists" -o Dir::Cache="$PWD/cache" -o APT::Sandbox::User= -o Acquire::Retries=3)
timeout 120 "${apt[@]}" update
timeout 120 "${apt[@]}" source cron
source=$(echo cron-3.0pl1*/)

# The parser as it is; the program that includes it has included cron.h.
sed '/#include "cron.h"/d' "$source/entry.c" >entry.inc
# The matching and the main loop; instead of sleeping until the next minute, the clock is turned to it.
{
    echo 'static void find_jobs(); static void set_time(int);'
    sed -n 's/^set_time(int/static void &/; s/^find_jobs(/static void &/; /^static void [fs]/,/^}/p' "$source/cron.c"
    echo 'static void run(time_t begin, time_t end) {'
    echo 'now = begin; set_time(TRUE); timeRunning = virtualTime = clockTime;'
    sed -n '/^	while (TRUE) {$/,/^	}$/p' "$source/cron.c" |
        sed 's/cron_sleep(timeRunning + 1);/now += 60; if (now >= end) return;/'
    echo '}'
} >loop.inc
grep -q 'now += 60' loop.inc && grep -q 'doNonWild' loop.inc && grep -q 'get_gmtoff(&StartTime' loop.inc
cc -std=gnu99 -O2 -w -DDEBUGGING=0 -I"$source" -I. "$here/oracle.c" -o oracle.new
mv oracle.new oracle
