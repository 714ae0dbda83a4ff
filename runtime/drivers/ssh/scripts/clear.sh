# Removes what a command that has ended left to be found out by.
if [ -e "$folder/boot" ]; then
    is_alive || rm -rf "$folder"
fi
finish done
