#!/bin/sh
# Starts Redis as the official image does: reachable from other containers without a password, unless told otherwise.
set -eu
case "${1:-redis-server}" in
    redis-server) shift ;;
    -*) ;;
    *) exec "$@" ;;
esac
exec redis-server --protected-mode no "$@"
