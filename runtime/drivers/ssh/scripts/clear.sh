# Removes what commands that have ended left to be found out by.
for key in $keys; do
    folder=$base/$key
    if [ -e "$folder/boot" ]; then
        is_alive || rm -rf "$folder"
    fi
done
finish done
