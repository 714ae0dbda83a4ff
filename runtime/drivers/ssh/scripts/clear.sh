# Removes what a command that has ended left to be found out by. The folder of one that was stopped before it began stays for
# a week: it might still be on its way.
if [ -e "$folder/boot" ]; then
    is_alive || rm -rf "$folder"
fi
for old in "$base"/*; do
    [ -e "$old/boot" ] || find "$old" -maxdepth 0 -mtime +7 -exec rm -r {} + 2>/dev/null
done
finish done
